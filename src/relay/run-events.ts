import { MAX_AMPLIFICATION } from '../guard/limits.js';
import { DatagramError, formatEndpoint } from '../net/index.js';
import type { Context } from '../run/context.js';
import type { Report } from '../run/report.js';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../timing/delay-line.js';
import type { Relay } from './relay.js';
import type { RelayEvents, Warning } from './relay-events.js';
import type { Session } from './session.js';

/** Tells what happens at a relay: as JSON events on stdout, and as messages on stderr. */
export class RunEvents implements RelayEvents {
  /** The relay, once it is bound. */
  relay: Relay | undefined;
  /** Refusals by the target so far. */
  refusals = 0;
  readonly arrived: () => void;
  readonly counted: () => void;
  readonly failed: (error: unknown) => void;
  readonly #context: Context;
  readonly #report: Report;
  #toldRefusal = false;
  #toldOpenFailed = false;

  constructor(
    context: Context,
    report: Report,
    { arrived, counted, failed }: Pick<RelayEvents, 'arrived' | 'counted' | 'failed'>,
  ) {
    this.#context = context;
    this.#report = report;
    this.arrived = arrived;
    this.counted = counted;
    this.failed = failed;
  }

  readonly sessionOpened = ({ number: session, client, source = client, target }: Session): void => {
    const addresses = {
      client: formatEndpoint(client),
      source: formatEndpoint(source),
      target: formatEndpoint(target),
    };
    this.#report.event({ type: 'session', session, ...addresses });
    this.#context.log.debug(`session ${session} of ${addresses.client}, from ${addresses.source}`, {
      session,
      ...addresses,
    });
  };

  readonly sessionEnded = (session: Session): void => {
    const { number, endReason: reason = 'end' } = session;
    this.#report.event({ type: 'sessionEnd', session: number, reason, ...session.countFields() });
    this.#context.log.debug(`session ${number} ended: ${reason}`, { session: number, reason });
  };

  readonly sessionRebound = ({ number: session, source }: Session): void => {
    if (source !== undefined) this.#report.event({ type: 'rebind', session, source: formatEndpoint(source) });
  };

  readonly openFailed = ({ number, client }: Session, error: DatagramError, isExhausted: boolean): void => {
    const remedy = isExhausted ? '; the client gets no session until others end' : '';
    const message = `no session for ${formatEndpoint(client)}: ${error.message}${remedy}`;
    this.#report.peerError(
      new DatagramError(error.code, message, { cause: error }),
      this.#toldOpenFailed ? 'debug' : 'warn',
      number,
    );
    this.#toldOpenFailed = true;
  };

  readonly refused = ({ number }: Session, error: DatagramError): void => {
    if (error.code === 'REFUSED' || error.code === 'UNREACHABLE') this.refusals += 1;
    // Further lines would say nothing new. Events tell every one.
    this.#report.peerError(error, this.#toldRefusal ? 'debug' : 'warn', number);
    this.#toldRefusal = true;
  };

  readonly clientError = (error: DatagramError): void => {
    this.#report.answerError(error);
  };

  readonly receiveFailed = (error: DatagramError): void => {
    this.#report.receiveError(error);
  };

  readonly dropped = (count: number): void => {
    this.#report.drops.queueDropped(count);
  };

  readonly warned = (warning: Warning, session?: Session): void => {
    this.#context.log.warn(this.#describe(warning, session));
  };

  #describe(warning: Warning, session: Session | undefined): string {
    switch (warning) {
      case 'full':
        return `there are ${this.relay?.sessions.table.size ?? 0} sessions, and further clients get none until one ends (--max-sessions)`;
      case 'overflow':
        return `too many datagrams wait, and further ones are dropped: the limits are ${MAX_WAITING} and ${MAX_WAITING_BYTES} bytes each way`;
      case 'amplification':
        return (
          `${session === undefined ? 'a client' : formatEndpoint(session.client)} gets at most ${MAX_AMPLIFICATION} times the bytes that it sent until it answers, ` +
          'and the rest is dropped: its address may be forged; --allow or --amplify permits more'
        );
      case 'loop':
        return `${this.#describePair()} look like two relays that point at each other: each datagram opens new sessions until --max-sessions`;
    }
  }

  #describePair(): string {
    const { relay } = this;
    return relay === undefined ? '' : `${formatEndpoint(relay.server.local)} and ${formatEndpoint(relay.target)}`;
  }
}
