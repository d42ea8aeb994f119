import type { Examiner } from './examiner.js';
import type { Expectation } from './expectation.js';
import type { Finding } from './finding.js';
import { firstMismatch } from './written-expectations.js';

/** The longest text of a finding in characters. A longer one is cut: it may quote a reply of any length. */
const MAX_SAYS = 300;
const MATCH: Finding = { outcome: 'match' };
/** A reply that may take longer than this is examined by the {@link Examiner}. */
const MAX_EXAMINING_NS = 20e6;

/** Compares one reply at a time with the expectations of the user and with the probe of a protocol. */
export class ReplyCheck {
  readonly #expectations: readonly Expectation[];
  readonly #probe: ((data: Uint8Array) => Finding) | undefined;
  #examiner: Examiner | undefined;
  readonly #worstNsPerByte: number;
  /** The last result of the examiner, for {@link check}. */
  #examined: { readonly data: Uint8Array; readonly says: string | undefined } | undefined;

  /** The parameters are those of the constructor of `Judge`. */
  constructor(expectations: readonly Expectation[], probe?: (data: Uint8Array) => Finding, examiner?: Examiner) {
    this.#expectations = expectations;
    this.#probe = probe;
    this.#examiner = examiner;
    this.#worstNsPerByte = expectations.reduce((sum, { worstNsPerByte }) => sum + worstNsPerByte, 0);
  }

  /** Whether {@link check} may take more than 20 ms. Then call {@link examine} before it. */
  takesLong(data: Uint8Array): boolean {
    return this.#examiner !== undefined && data.length * this.#worstNsPerByte > MAX_EXAMINING_NS;
  }

  /**
   * Compares a reply with the expectations in another thread, so that {@link check} is quick. Resolves to false if
   * {@link endExamining} came first. Resolves to true if no thread can run: then `check` compares, however long it takes.
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

  /** Ends {@link examine}. Later calls of it resolve to false. */
  endExamining(): void {
    this.#examiner?.end();
  }

  /** Compares a reply with the probe, then with the expectations. `byProbe` tells which of the two decided. */
  check(data: Uint8Array): { readonly finding: Finding; readonly byProbe: boolean } {
    const found = this.#probe === undefined ? MATCH : shorten(this.#probe(data));
    // A pending reply must meet the expectations now, because its bytes are not kept.
    if (found.outcome !== 'match' && found.later === undefined) return { finding: found, byProbe: true };
    const examined = this.#examined;
    const says = examined?.data === data ? examined.says : firstMismatch(this.#expectations, data);
    this.#examined = undefined;
    if (says !== undefined) return { finding: { outcome: 'mismatch', says }, byProbe: false };
    return { finding: found, byProbe: true };
  }
}

function shorten(finding: Finding): Finding {
  const { says = '' } = finding;
  return says.length <= MAX_SAYS ? finding : { ...finding, says: `${says.slice(0, MAX_SAYS)}...` };
}
