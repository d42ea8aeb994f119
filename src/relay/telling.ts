import { MAX_AMPLIFICATION } from '../guard/limits.js';
import { isWildcard } from '../net/address/endpoint.js';
import { DatagramError, type Endpoint, formatEndpoint } from '../net/index.js';
import type { Context } from '../run/context.js';
import { joinedGroups } from '../run/joined-groups.js';
import type { Report } from '../run/report.js';
import { reportBuffers, reportEngine } from '../run/socket-report.js';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../timing/delay-line.js';
import type { Account } from './account.js';
import type { RelayPlan } from './plan.js';
import type { Acting, Relay } from './relay.js';
import type { RelayEvents, Warning } from './relay-events.js';
import type { Session } from './session.js';

/** Endings of a run that a relay can lead to. */
export type RunEvents = Pick<RelayEvents, 'arrived' | 'counted' | 'failed'>;

/** Tells the events of relays: as JSON on stdout, and in words on stderr. */
export class Telling {
  readonly #plan: RelayPlan;
  readonly #context: Context;
  readonly #report: Report;
  readonly #run: RunEvents;
  /** Whether a line on stderr told of a refusal, of a session that could not be opened, and of another address. Events tell all. */
  #refused = false;
  #openFailed = false;
  #retargeted = false;

  constructor(plan: RelayPlan, context: Context, report: Report, run: RunEvents) {
    this.#plan = plan;
    this.#context = context;
    this.#report = report;
    this.#run = run;
  }

  /** The field `relay` of an event, if there can be several relays. */
  #by(name: string): { readonly relay?: string } {
    return this.#plan.http === undefined ? {} : { relay: name };
  }

  /** Makes the functions that a relay calls. */
  of(name: string, account: Account): RelayEvents {
    const report = this.#report;
    const by = this.#by(name);
    return {
      ...this.#run,
      sessionOpened: ({ number: session, client, source = client, target }) => {
        const event = {
          session,
          client: formatEndpoint(client),
          source: formatEndpoint(source),
          target: formatEndpoint(target),
        };
        report.event({ type: 'session', ...by, ...event });
        this.#context.log.debug(`session ${session} of ${event.client}, from ${event.source}`, { ...by, ...event });
      },
      sessionEnded: (session) => {
        const { number, endReason: reason = 'end' } = session;
        report.event({ type: 'sessionEnd', ...by, session: number, reason, ...session.countFields() });
        this.#context.log.debug(`session ${number} ended: ${reason}`, { ...by, session: number, reason });
      },
      sessionRebound: ({ number: session, source, target }) => {
        if (source === undefined) return;
        const event = { session, source: formatEndpoint(source), target: formatEndpoint(target) };
        report.event({ type: 'rebind', ...by, ...event });
      },
      openFailed: ({ number, client }, error, isExhausted) => {
        const remedy = isExhausted ? '; the client gets no session until others end' : '';
        const message = `no session for ${formatEndpoint(client)}: ${error.message}${remedy}`;
        const told = new DatagramError(error.code, message, { cause: error });
        report.peerError(told, this.#openFailed ? 'debug' : 'warn', { ...by, session: number });
        this.#openFailed = true;
      },
      refused: ({ number }, error) => {
        if (error.code === 'REFUSED' || error.code === 'UNREACHABLE') account.refusals += 1;
        report.peerError(error, this.#refused ? 'debug' : 'warn', { ...by, session: number });
        this.#refused = true;
      },
      retargeted: (target) => {
        // Where no address has a service, each refusal leads to the next address.
        this.target(name, target, this.#retargeted ? 'debug' : 'info');
        this.#retargeted = true;
      },
      clientError: (error) => {
        report.answerError(error);
      },
      receiveFailed: (error) => {
        report.receiveError(error);
      },
      dropped: (count) => {
        report.drops.queueDropped(count);
      },
      warned: (warning, session) => {
        this.#context.log.warn(describe(warning, account.relay, session), by);
      },
    };
  }

  /** Tells that a relay listens, and its faults. */
  async listening(name: string, { server, target, faults }: Relay): Promise<void> {
    const by = this.#by(name);
    const { log } = this.#context;
    const joined = await joinedGroups(server);
    reportEngine(server, this.#context);
    reportBuffers(this.#plan, server.kernelBuffers, this.#context);
    const [address, to] = [formatEndpoint(server.local), target && formatEndpoint(target)];
    log.announce(`listening on ${address}`, { ...by, address, target: to });
    if (to !== undefined) log.info(`datagrams are passed on to ${to}`, { ...by, target: to });
    const { seed } = this.#plan;
    const hasFaults = faults.up.length + faults.down.length > 0;
    if (hasFaults) log.info(`they have faults; --seed ${seed} repeats them`, { ...by, seed });
    if (isWildcard(server.local.address) && server.engine === 'node') {
      log.warn(
        'on a host with several addresses, an answer may leave from another address than the client asked (node engine): bind one address',
      );
    }
    this.#report.event({
      type: 'listening',
      ...by,
      address,
      ...(to !== undefined && { target: to }),
      ...(joined.length > 0 && { joined }),
      ...(hasFaults && { seed }),
    });
    this.faults(name, faults);
  }

  /** Tells the faults that hold from now on. @param toxics as the API has them, after a change */
  faults(name: string, { up, down }: Acting, toxics?: readonly object[]): void {
    this.#report.event({
      type: 'faults',
      ...this.#by(name),
      seed: this.#plan.seed,
      up: settingsOf(up),
      down: settingsOf(down),
      ...(toxics && { toxics }),
    });
  }

  /** Tells where the sessions of a relay go to from now on. */
  target(name: string, target: Endpoint, level: 'info' | 'debug' = 'info'): void {
    const fields = { ...this.#by(name), target: formatEndpoint(target) };
    this.#context.log[level](`new sessions go to ${fields.target}`, fields);
    this.#report.event({ type: 'target', ...fields });
  }
}

function settingsOf(faults: Acting['up']): Readonly<Record<string, unknown>> {
  return Object.fromEntries(faults.map(({ name, setting }) => [name, setting]));
}

function describe(warning: Warning, relay: Relay | undefined, session: Session | undefined): string {
  const client = session === undefined ? '' : formatEndpoint(session.client);
  const [own, target] = [relay?.server.local, relay?.target].map((each) => each && formatEndpoint(each));
  switch (warning) {
    case 'full':
      return `there are ${relay?.sessions.table.size ?? 0} sessions, and further clients get none until one ends (--max-sessions)`;
    case 'overflow':
      return `too many datagrams wait, and further ones are dropped: the limits are ${MAX_WAITING} and ${MAX_WAITING_BYTES} bytes each way`;
    case 'amplification':
      return (
        `${client} gets at most ${MAX_AMPLIFICATION} times the bytes that it sent until it answers, and the rest is dropped: ` +
        'its address may be forged; --allow or --amplify permits more'
      );
    case 'loop':
      return (
        `${own ?? 'this relay'} and ${target ?? 'its target'} look like two relays that point at each other: ` +
        'each datagram opens new sessions until --max-sessions'
      );
  }
}
