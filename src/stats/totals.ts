import type { Measurement } from '../check/measurement.js';
import type { SummaryFields } from '../output/json-lines.js';
import { describeCounts } from './counts-in-words.js';
import { DropCounts } from './drop-counts.js';
import { type Flow, type FlowRate, rateOf } from './rate.js';
import type { Responders } from './responders.js';
import { formatBits, formatRate } from '../text/quantity.js';

/** Datagrams or packets of a recording that were not sent, for one reason. */
export interface NotSent {
  /** The reason in a word or two, for example `not-udp`. */
  readonly kind: string;
  readonly count: number;
  /** The protocol of packets without a datagram, for example `TCP`. */
  readonly name?: string;
  /** The other receiver that the datagrams went to. */
  readonly to?: string;
}

/** The counts of one run. */
export class Totals {
  /** Datagrams that the kernel took. */
  sent = 0;
  /** Datagrams that the command took. */
  received = 0;
  readonly drops = new DropCounts();
  /** Datagrams that were sent, and could not be recorded. */
  unrecorded = 0;
  /** Datagrams that `--allow` and `--deny` kept out. */
  denied = 0;
  /** Requests without a response: a guard declined them, or the response could not be made or sent. */
  unanswered = 0;
  /** Answers that were refused, because the client has gone. The kernel may report fewer than were refused. */
  refused = 0;
  /** Datagrams from other addresses than the one asked. */
  strays = 0;
  /** The content of a recording that was not sent. */
  notSent: readonly NotSent[] = [];
  /** How often the system had no memory to receive with. */
  receiveErrors = 0;
  /** Return the datagrams of a direction, for its rate. Default: the direction has no rate. */
  readonly flows: { sent?: () => Flow; received?: () => Flow } = {};
  /** The responders of the replies. Undefined if only one address may reply. */
  responders: Responders | undefined;
  #measurement: Measurement | undefined;
  readonly #startMs = performance.now();

  /** The measurement of the round trips. Undefined as long as the run has a single request, or measures nothing. */
  get measurement(): Measurement | undefined {
    return this.#measurement?.roundTrips.loaded === true ? this.#measurement : undefined;
  }

  /**
   * Adds a measurement of the round trips. In the summary `received` is then the number of requests with a reply, and the
   * other counts of the measurement are added.
   */
  measure(measurement: Measurement): void {
    this.#measurement = measurement;
  }

  /**
   * The totals as they stand in the summary's JSON. `sent`, `received`, `dropped` and `durationMs` always stand. Any other
   * count stands only if it is above 0. The duration counts from the construction of this object.
   */
  fields(): SummaryFields & Readonly<Record<string, unknown>> {
    const { kernel = null, kernelIsLowerBound, queue, output } = this.drops;
    return {
      sent: this.sent,
      received: this.measurement?.replied ?? this.received,
      dropped: { kernel, queue, output },
      ...(kernelIsLowerBound && { kernelIsLowerBound: true }),
      durationMs: round(performance.now() - this.#startMs),
      ...Object.fromEntries(
        this.#rates().flatMap(([direction, { perSecond, bitsPerSecond }]) => [
          [`${direction}PerSecond`, round(perSecond)],
          [`${direction}BitsPerSecond`, Math.round(bitsPerSecond)],
        ]),
      ),
      ...(this.unrecorded > 0 && { unrecorded: this.unrecorded }),
      ...(this.denied > 0 && { denied: this.denied }),
      ...(this.unanswered > 0 && { unanswered: this.unanswered }),
      ...(this.refused > 0 && { refused: this.refused }),
      ...(this.strays > 0 && { strays: this.strays }),
      ...(this.notSent.length > 0 && { notSent: this.notSent }),
      ...(this.receiveErrors > 0 && { receiveErrors: this.receiveErrors }),
      ...this.measurement?.fields(),
      ...this.responders?.fields(),
    };
  }

  /** The rates of the directions that have one. */
  #rates(): readonly (readonly ['sent' | 'received', FlowRate])[] {
    const wholeMs = performance.now() - this.#startMs;
    const flows = [['sent', this.flows.sent?.()] as const, ['received', this.flows.received?.()] as const];
    return flows.flatMap(([direction, flow]) => {
      const rate = flow && rateOf(flow, wholeMs);
      return rate === undefined ? [] : [[direction, rate] as const];
    });
  }

  /** The rates in a line for people: `sent 500/s, 800.0 kbit/s`. Empty if there are none. */
  describeRates(): readonly string[] {
    const rates = this.#rates().map(
      ([direction, { perSecond, bitsPerSecond }]) =>
        `${direction} ${formatRate(perSecond)}, ${formatBits(bitsPerSecond)}/s`,
    );
    return rates.length === 0 ? [] : [rates.join('; ')];
  }

  /** The totals in one line for people. */
  describe(): string {
    const { durationMs, received, sent } = this.fields();
    const { drops, receiveErrors } = this;
    const counts = describeCounts([
      { count: this.unrecorded, says: 'sent but not recorded' },
      { count: this.denied, says: 'denied' },
      { count: this.unanswered, says: 'not answered' },
      { count: this.refused, says: this.refused === 1 ? 'answer refused' : 'answers refused' },
      { count: this.strays, says: 'from strangers' },
      { count: receiveErrors, says: receiveErrors === 1 ? 'failure to receive' : 'failures to receive' },
    ]);
    const measured = this.measurement?.describe() ?? [];
    const all = [`${received} received`, `${sent} sent`, ...measured, ...drops.describe(), ...counts];
    const seconds = (durationMs / 1000).toFixed(durationMs < 10_000 ? 3 : 1);
    return `${all.join(', ')} in ${seconds} s`;
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
