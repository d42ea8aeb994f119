import type { LossCause } from '../faults/faults.js';
import type { Way } from './plan.js';

/**
 * What takes a datagram away: a fault, or a bound. `full`: there were as many sessions as `--max-sessions` allows. `noSocket`:
 * the system had no descriptor or no port for a session. `noTarget`: the name of the target is not found yet. `amplification`: see {@link AmplificationGuard}.
 */
export type Loss = LossCause | 'amplification' | 'full' | 'noSocket' | 'noTarget';

const LOSSES = [
  'loss',
  'burstLoss',
  'lose',
  'maxSize',
  'lineQueue',
  'limitData',
  'blackhole',
  'overflow',
  'amplification',
  'full',
  'noSocket',
  'noTarget',
] as const satisfies readonly Loss[];

/** The counts of one way in JSON. */
export interface WayFields {
  readonly received: number;
  readonly duplicates: number;
  readonly sent: number;
  readonly lost: Readonly<Record<Loss, number>>;
  readonly notSent: number;
}

/** Counts the datagrams of one way, of a session or of all. */
export class WayCounts {
  /** Datagrams that were taken. */
  received = 0;
  /** Bytes of their payloads. */
  bytes = 0;
  /** Copies that `--duplicate` made. */
  duplicates = 0;
  /** Datagrams and copies that the kernel took. */
  sent = 0;
  /** Datagrams and copies that the kernel refused, or that still waited at the end. */
  notSent = 0;
  /** Lost datagrams and copies together. */
  lost = 0;
  #causes: Partial<Record<Loss, number>> | undefined;

  lose(cause: Loss, count: number): void {
    this.lost += count;
    this.#causes ??= {};
    this.#causes[cause] = (this.#causes[cause] ?? 0) + count;
  }

  lostBy(cause: Loss): number {
    return this.#causes?.[cause] ?? 0;
  }

  /** Adds the counts of a relay that has ended. */
  add(other: WayCounts): void {
    this.received += other.received;
    this.bytes += other.bytes;
    this.duplicates += other.duplicates;
    this.sent += other.sent;
    this.notSent += other.notSent;
    for (const cause of LOSSES) if (other.lostBy(cause) > 0) this.lose(cause, other.lostBy(cause));
  }

  /** Datagrams and copies that were neither sent nor given up yet. */
  get waiting(): number {
    return this.received + this.duplicates - this.sent - this.lost - this.notSent;
  }

  fields(): WayFields {
    const { received, duplicates, sent, notSent } = this;
    const lost = Object.fromEntries(LOSSES.map((cause) => [cause, this.lostBy(cause)])) as Record<Loss, number>;
    return { received, duplicates, sent, lost, notSent };
  }

  /** The counts in words; only `received` and `sent` are told when they are 0. */
  describe(): string {
    const lost = LOSSES.filter((cause) => this.lostBy(cause) > 0).map(
      (cause) => `${this.lostBy(cause)} ${WORDS[cause]}`,
    );
    const others = [
      ...(this.duplicates > 0 ? [`${this.duplicates} duplicated`] : []),
      ...lost,
      ...(this.notSent > 0 ? [`${this.notSent} not sent`] : []),
    ];
    return [`${this.received} received`, `${this.sent} sent`, ...others].join(', ');
  }
}

const WORDS: Readonly<Record<Loss, string>> = {
  loss: 'lost',
  burstLoss: 'lost in bursts',
  lose: 'lost by number',
  maxSize: 'too large',
  lineQueue: 'too late for the line',
  limitData: 'beyond the limit of data',
  blackhole: 'blackholed',
  overflow: 'dropped while too many waited',
  amplification: 'withheld against amplification',
  full: 'dropped for want of sessions',
  noSocket: 'dropped for want of sockets',
  noTarget: 'dropped for want of a target',
};

/** The counts of both ways. */
export type Counts = Readonly<Record<Way, WayCounts>>;

export function createCounts(): Counts {
  return { up: new WayCounts(), down: new WayCounts() };
}
