import type { SummaryFields } from '../output/json-lines.js';
import type { Measurement } from '../check/measurement.js';

/** Datagrams or packets of a recording that were not sent. */
export interface NotSent {
  /** Why, in a word or two. */
  readonly kind: string;
  readonly count: number;
  /** Of packets that are no UDP, or none that is read, the protocol. */
  readonly name?: string;
  /** Of datagrams that went to another receiver, which. */
  readonly to?: string;
}

/** Counts of one run. */
export class Totals {
  sent = 0;
  received = 0;
  /** Undefined where it cannot be known. */
  kernelDropped: number | undefined;
  /** Whether the kernel may have dropped more than that. */
  kernelIsLowerBound = false;
  queueDropped = 0;
  outputDropped = 0;
  /** Datagrams that were sent, and could not be recorded. */
  unrecorded = 0;
  /** Datagrams that `--allow` and `--deny` kept out. */
  denied = 0;
  /** Datagrams that an answering server chose not to answer, or could not. */
  unanswered = 0;
  /** Datagrams from other addresses than the one asked. */
  strays = 0;
  /** What a recording holds and was not sent. */
  notSent: readonly NotSent[] = [];
  /** How often the system had no memory to receive with. */
  receiveErrors = 0;
  #measurement: Measurement | undefined;
  readonly #startMs = performance.now();

  /** What the round trips come to, as soon as more than one may be made. */
  get measurement(): Measurement | undefined {
    return this.#measurement?.roundTrips.loaded === true ? this.#measurement : undefined;
  }

  /** If round trips are measured, `received` is the requests that were answered, and further counts tell of the others. */
  measure(measurement: Measurement): void {
    this.#measurement = measurement;
  }

  /** The totals as they stand in the summary's JSON; counts that the contract does not name only if they are not zero. */
  fields(): SummaryFields & Readonly<Record<string, unknown>> {
    return {
      sent: this.sent,
      received: this.measurement?.answered ?? this.received,
      dropped: { kernel: this.kernelDropped ?? null, queue: this.queueDropped, output: this.outputDropped },
      ...(this.kernelIsLowerBound && { kernelIsLowerBound: true }),
      durationMs: Math.round((performance.now() - this.#startMs) * 1000) / 1000,
      ...(this.unrecorded > 0 && { unrecorded: this.unrecorded }),
      ...(this.denied > 0 && { denied: this.denied }),
      ...(this.unanswered > 0 && { unanswered: this.unanswered }),
      ...(this.strays > 0 && { strays: this.strays }),
      ...(this.notSent.length > 0 && { notSent: this.notSent }),
      ...(this.receiveErrors > 0 && { receiveErrors: this.receiveErrors }),
      ...this.measurement?.fields(),
    };
  }

  /** Datagrams lost on this host, as far as it is known. */
  get dropped(): number {
    return (this.kernelDropped ?? 0) + this.queueDropped + this.outputDropped;
  }

  /** The totals in words. */
  describe(): string {
    const { durationMs, received, sent } = this.fields();
    const counts = [
      ...this.#drops(),
      { count: this.unrecorded, where: 'sent but not recorded' },
      { count: this.denied, where: 'denied' },
      { count: this.unanswered, where: 'not answered' },
      { count: this.strays, where: 'from strangers' },
      { count: this.receiveErrors, where: this.receiveErrors === 1 ? 'failure to receive' : 'failures to receive' },
    ];
    const seconds = (durationMs / 1000).toFixed(durationMs < 10_000 ? 3 : 1);
    const all = [`${received} received`, `${sent} sent`, ...(this.measurement?.describe() ?? []), ...inWords(counts)];
    return `${all.join(', ')} in ${seconds} s`;
  }

  /** What was lost on this host, in words; empty if nothing was. */
  describeDrops(): string {
    return inWords(this.#drops()).join(', ');
  }

  #drops(): Count[] {
    return [
      { count: this.kernelDropped ?? 0, where: 'dropped by the kernel', isLowerBound: this.kernelIsLowerBound },
      { count: this.queueDropped, where: 'dropped by the full queue' },
      { count: this.outputDropped, where: 'dropped by the output' },
    ];
  }
}

interface Count {
  readonly count: number;
  readonly where: string;
  readonly isLowerBound?: boolean;
}

/** The counts that are not zero for certain. */
function inWords(counts: readonly Count[]): string[] {
  return counts
    .filter(({ count, isLowerBound }) => count > 0 || isLowerBound === true)
    .map(({ count, where, isLowerBound }) => `${isLowerBound === true ? 'at least ' : ''}${count} ${where}`);
}
