import type { Expectation } from './expectation.js';

/** What came of a question: enough matching replies, a wrong one, a refusal, only a stranger's, or nothing. */
export type Verdict = 'ok' | 'mismatch' | 'refused' | 'stray' | 'silent';

/** Judges replies one by one, never joined, and says at any moment what the verdict would be. */
export class Judge {
  readonly #expectations: readonly Expectation[];
  #matching = 0;
  #mismatch: string | undefined;
  #strays = 0;
  #refused = false;

  /** @param expectations all of which must hold for one and the same reply */
  constructor(expectations: readonly Expectation[]) {
    this.#expectations = expectations;
  }

  /** Replies from the address asked that met every expectation. */
  get matching(): number {
    return this.#matching;
  }

  /** Why the last reply that did not match failed. */
  get mismatch(): string | undefined {
    return this.#mismatch;
  }

  /** Whether the last transmission was refused and no reply followed. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Takes in a reply from the address asked; true if it matches. */
  reply(data: Uint8Array): boolean {
    this.#refused = false;
    for (const expectation of this.#expectations) {
      const mismatch = expectation.mismatch(data);
      if (mismatch === undefined) continue;
      this.#mismatch = mismatch;
      return false;
    }
    this.#matching += 1;
    return true;
  }

  /** Takes in a datagram from another address. */
  stray(): void {
    this.#strays += 1;
  }

  /** Takes in an ICMP error for the last transmission. */
  refusal(): void {
    this.#refused = true;
  }

  /** A transmission: refusals before it were of others. */
  transmitted(): void {
    this.#refused = false;
  }

  /** The first that holds: enough matched, one did not match, the last was refused, only strangers answered, silence. */
  verdict(wanted: number): Verdict {
    if (this.#matching >= wanted) return 'ok';
    if (this.#mismatch !== undefined) return 'mismatch';
    if (this.#refused) return 'refused';
    if (this.#strays > 0 && this.#matching === 0) return 'stray';
    return 'silent';
  }
}
