import type { Expectation } from './expectation.js';

/** What came of a question: enough matching replies, a wrong one, a refusal, only a stranger's, or nothing. */
export type Verdict = 'ok' | 'mismatch' | 'refused' | 'stray' | 'silent';

/** What one reply was found to be. */
export interface Finding {
  /**
   * `pending`: it belongs to the exchange, and what was asked for is still to come; `surplus`: it answers no question that
   * is open.
   */
  readonly outcome: 'match' | 'mismatch' | 'pending' | 'surplus';
  /** What was learned from it, or why it does not match; it may quote bytes of the reply. */
  readonly says?: string;
  /** What the protocol wants sent back to the peer. */
  readonly answer?: Uint8Array;
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

/** Judges replies one by one, never joined, and says at any moment what the verdict would be. */
export class Judge {
  readonly #expectations: readonly Expectation[];
  readonly #probe: ((data: Uint8Array) => Finding) | undefined;
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
   */
  constructor(expectations: readonly Expectation[], probe?: (data: Uint8Array) => Finding) {
    this.#expectations = expectations;
    this.#probe = probe;
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
    for (const expectation of this.#expectations) {
      const says = expectation.mismatch(data);
      if (says !== undefined) return { finding: { outcome: 'mismatch', says }, byProbe: false };
    }
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
    if (this.#strays > 0 && this.#matching === 0) return 'stray';
    return 'silent';
  }
}

function shorten(finding: Finding): Finding {
  const { says = '' } = finding;
  return says.length <= MAX_SAYS ? finding : { ...finding, says: `${says.slice(0, MAX_SAYS)}...` };
}
