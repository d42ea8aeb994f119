import type { Examiner } from './examiner.js';
import type { Expectation } from './expectation.js';
import { type Finding, onceSettled } from './finding.js';
import { ReplyCheck } from './reply-check.js';

/**
 * The result of an exchange:
 *
 * - `ok`: enough replies matched.
 * - `mismatch`: a reply from the address asked did not match.
 * - `refused`: the last transmission was refused, and no reply followed.
 * - `stray`: all replies came from other addresses.
 * - `silent`: none of these.
 */
export type Verdict = 'ok' | 'mismatch' | 'refused' | 'stray' | 'silent';

/** Judges replies one by one, never joined. It can tell at any moment what the verdict would be. */
export class Judge {
  readonly #check: ReplyCheck;
  #unjudged = 0;
  #matching = 0;
  #mismatch: string | undefined;
  #failedProbe = false;
  #learned: string | undefined;
  #pending: string | undefined;
  #strays = 0;
  #refused = false;

  /**
   * @param expectations a reply matches only if it meets all of them
   * @param probe judges replies of a known protocol; a reply matches only if it passes the probe, too
   * @param examiner compares replies with the same expectations if that may take long. Default: the judge compares every
   * reply itself, however long it takes.
   */
  constructor(expectations: readonly Expectation[], probe?: (data: Uint8Array) => Finding, examiner?: Examiner) {
    this.#check = new ReplyCheck(expectations, probe, examiner);
  }

  /** Replies from the address asked that matched. */
  get matching(): number {
    return this.#matching;
  }

  /** Why the last reply that did not match failed: a sentence of the probe, or words that follow "the reply". */
  get mismatch(): string | undefined {
    return this.#mismatch;
  }

  /** Whether that reply failed the probe, and not an expectation. */
  get failedProbe(): boolean {
    return this.#failedProbe;
  }

  /** The content of the first matching reply in the words of the probe. */
  get learned(): string | undefined {
    return this.#learned;
  }

  /** The content of the last pending reply in words. */
  get pending(): string | undefined {
    return this.#pending;
  }

  /** Whether the last transmission was refused and no reply followed. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Replies that came in time, and could not be judged in time. */
  get unjudged(): number {
    return this.#unjudged;
  }

  /** Whether {@link reply} may take long. Then call {@link examine} before it. */
  takesLong(data: Uint8Array): boolean {
    return this.#check.takesLong(data);
  }

  /** Compares a reply with the expectations in another thread. See `ReplyCheck.examine`. */
  examine(data: Uint8Array): Promise<boolean> {
    return this.#check.examine(data);
  }

  /** Ends {@link examine}. Later calls of it resolve to false. */
  endExamining(): void {
    this.#check.endExamining();
  }

  /** Counts replies that could not be judged in time. They neither match nor fail. */
  leave(count: number): Finding {
    this.#refused = false;
    this.#unjudged += count;
    return { outcome: 'unjudged', says: 'was not judged in time' };
  }

  /** Judges a reply from the address asked. */
  reply(data: Uint8Array): Finding {
    this.#refused = false;
    const { finding, byProbe } = this.#check.check(data);
    return onceSettled(finding, (settled) => {
      this.#take(settled, byProbe);
    });
  }

  #take({ outcome, says }: Finding, byProbe: boolean): void {
    if (outcome === 'match') {
      this.#matching += 1;
      this.#learned ??= says;
    } else if (outcome === 'mismatch') {
      this.#mismatch = says;
      this.#failedProbe = byProbe;
    } else {
      this.#pending = says;
    }
  }

  /** Counts a reply that the caller found to be wrong. `says` follows "the reply". */
  reject(says: string): Finding {
    this.#refused = false;
    this.#failedProbe = false;
    this.#mismatch = says;
    return { outcome: 'mismatch', says };
  }

  /** Notes a reply that belongs to no open request. It neither matches nor fails, but it shows that the peer is there. */
  surplus(says: string): Finding {
    this.#refused = false;
    return { outcome: 'surplus', says };
  }

  /** Takes back the judgement of all replies so far: they were no replies to these requests. */
  forget(): void {
    this.#matching = 0;
    this.#mismatch = this.#learned = this.#pending = undefined;
    this.#failedProbe = false;
  }

  /** Counts a datagram from another address. */
  stray(): void {
    this.#strays += 1;
  }

  /** Notes an ICMP error that refuses the last transmission. */
  refusal(): void {
    this.#refused = true;
  }

  /** Notes a transmission. An earlier refusal does not count any more. */
  transmitted(): void {
    this.#refused = false;
  }

  /**
   * The verdict if the exchange ended now.
   *
   * @param wanted how many matching replies make it `ok`
   * @param counted how many matching replies count. Default: all.
   */
  verdict(wanted: number, counted = this.#matching): Verdict {
    if (counted >= wanted) return 'ok';
    if (this.#mismatch !== undefined) return 'mismatch';
    if (this.#refused) return 'refused';
    if (this.#strays > 0 && this.#matching + this.#unjudged === 0) return 'stray';
    return 'silent';
  }
}
