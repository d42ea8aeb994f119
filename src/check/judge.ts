import type { Examiner } from './examiner.js';
import type { Expectation } from './expectation.js';
import { firstMismatch } from './written-expectations.js';

/** What came of a question: enough matching replies, a wrong one, a refusal, only a stranger's, or nothing. */
export type Verdict = 'ok' | 'mismatch' | 'refused' | 'stray' | 'silent';

/** What one reply was found to be. */
export interface Finding {
  /**
   * `pending`: it belongs to the exchange, and what was asked for is still to come; `surplus`: it answers no question that
   * is open; `unjudged`: the time was over before it was known.
   */
  readonly outcome: 'match' | 'mismatch' | 'pending' | 'surplus' | 'unjudged';
  /** What was learned from it, or why it does not match; it may quote bytes of the reply. */
  readonly says?: string;
  /** What the protocol wants sent back to the peer, such as its challenge. */
  readonly followUp?: Uint8Array;
  /** Of a pending one that is found to match or not when more is known: has `settle` called with that, at most once. */
  readonly later?: (settle: (finding: Finding) => void) => void;
}

/** Has `take` called with what a reply was found to be: at once, or when it is, if somebody asks for that in the end. */
export function onceSettled(finding: Finding, take: (settled: Finding) => void): Finding {
  const { later } = finding;
  if (later === undefined) {
    take(finding);
    return finding;
  }
  return {
    ...finding,
    later: (settle) => {
      later((settled) => {
        take(settled);
        settle(settled);
      });
    },
  };
}

/** The longest that a finding says, in characters: a reply may quote itself at any length. */
const MAX_SAYS = 300;
const MATCH: Finding = { outcome: 'match' };
/** Replies that may take longer to examine, in nanoseconds, are examined by the {@link Examiner}. */
const MAX_EXAMINING_NS = 20e6;

/** Judges replies one by one, never joined, and says at any moment what the verdict would be. */
export class Judge {
  readonly #expectations: readonly Expectation[];
  readonly #probe: ((data: Uint8Array) => Finding) | undefined;
  #examiner: Examiner | undefined;
  readonly #worstNsPerByte: number;
  /** What the examiner found last. */
  #examined: { readonly data: Uint8Array; readonly says: string | undefined } | undefined;
  #unjudged = 0;
  #matching = 0;
  #mismatch: string | undefined;
  #failedProbe = false;
  #learned: string | undefined;
  #pending: string | undefined;
  #strays = 0;
  #refused = false;

  /**
   * @param expectations all of which must hold for one and the same reply
   * @param probe the judgement of a known protocol, which must hold for that reply as well
   * @param examiner holds replies against the same expectations where that may take long. Default: it is done at once,
   * however long it takes
   */
  constructor(expectations: readonly Expectation[], probe?: (data: Uint8Array) => Finding, examiner?: Examiner) {
    this.#expectations = expectations;
    this.#probe = probe;
    this.#examiner = examiner;
    this.#worstNsPerByte = expectations.reduce((sum, { worstNsPerByte }) => sum + worstNsPerByte, 0);
  }

  /** Replies from the address asked that met every expectation. */
  get matching(): number {
    return this.#matching;
  }

  /** Why the last reply that did not match failed: a sentence of the probe's, or what follows "the reply …". */
  get mismatch(): string | undefined {
    return this.#mismatch;
  }

  /** Whether it was the probe that it failed, rather than an expectation. */
  get failedProbe(): boolean {
    return this.#failedProbe;
  }

  /** What the probe learned from the first reply that matched. */
  get learned(): string | undefined {
    return this.#learned;
  }

  /** What the last reply said that left the answer proper to be waited for. */
  get pending(): string | undefined {
    return this.#pending;
  }

  /** Whether the last transmission was refused and no reply followed. */
  get refused(): boolean {
    return this.#refused;
  }

  /** Replies that came in time, and were not judged in time. */
  get unjudged(): number {
    return this.#unjudged;
  }

  /** Whether it may take long to hold a reply against the expectations: then {@link examine} is to be called first. */
  takesLong(data: Uint8Array): boolean {
    return this.#examiner !== undefined && data.length * this.#worstNsPerByte > MAX_EXAMINING_NS;
  }

  /**
   * Holds a reply against the expectations where that can be ended, so that {@link reply} need not; resolves to false if
   * it was ended before it was known. Where no thread can be had, {@link reply} does it, however long that takes.
   */
  async examine(data: Uint8Array): Promise<boolean> {
    try {
      const examination = await this.#examiner?.examine(data);
      this.#examined = examination && { data, says: examination.says };
      return examination !== undefined;
    } catch {
      this.#examiner = undefined;
      return true;
    }
  }

  /** Ends {@link examine}; nothing is examined any more. */
  endExamining(): void {
    this.#examiner?.end();
  }

  /** Replies were not judged in time: neither did they match, nor were they found not to. */
  leave(count: number): Finding {
    this.#refused = false;
    this.#unjudged += count;
    return { outcome: 'unjudged', says: 'was not judged in time' };
  }

  /** Takes in a reply from the address asked. */
  reply(data: Uint8Array): Finding {
    this.#refused = false;
    const { finding, byProbe } = this.#examine(data);
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

  /** Takes in a reply that was found wrong already; `says` follows "the reply …". */
  reject(says: string): Finding {
    this.#refused = false;
    this.#failedProbe = false;
    this.#mismatch = says;
    return { outcome: 'mismatch', says };
  }

  /** Takes in a reply that answers no open question: it counts for nothing, except that the peer is there. */
  surplus(says: string): Finding {
    this.#refused = false;
    return { outcome: 'surplus', says };
  }

  /** Takes back what replies so far were found to be: they were none. */
  forget(): void {
    this.#matching = 0;
    this.#mismatch = this.#learned = this.#pending = undefined;
    this.#failedProbe = false;
  }

  #examine(data: Uint8Array): { readonly finding: Finding; readonly byProbe: boolean } {
    const found = this.#probe === undefined ? MATCH : shorten(this.#probe(data));
    // What may match later must meet the expectations now: its bytes are not kept.
    if (found.outcome !== 'match' && found.later === undefined) return { finding: found, byProbe: true };
    const examined = this.#examined;
    const says = examined?.data === data ? examined.says : firstMismatch(this.#expectations, data);
    this.#examined = undefined;
    if (says !== undefined) return { finding: { outcome: 'mismatch', says }, byProbe: false };
    return { finding: found, byProbe: true };
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
    if (this.#strays > 0 && this.#matching + this.#unjudged === 0) return 'stray';
    return 'silent';
  }
}

function shorten(finding: Finding): Finding {
  const { says = '' } = finding;
  return says.length <= MAX_SAYS ? finding : { ...finding, says: `${says.slice(0, MAX_SAYS)}...` };
}
