import { AccessList } from '../guard/access-list.js';
import { RateLimit } from '../guard/rate-limit.js';
import type { Run } from '../net/index.js';
import type { RelaySettings } from './plan.js';

/** Decides which datagrams of clients a relay takes: by `--allow`, `--deny`, `--rate-limit` and `--count`. */
export class Admission {
  readonly #access: AccessList;
  readonly #rateLimit: RateLimit | undefined;
  readonly #most: number;
  /** Datagrams that `--allow` and `--deny` kept out. */
  denied = 0;
  /** Datagrams above `--rate-limit`. */
  rateLimited = 0;

  constructor({
    allow = [],
    deny = [],
    rateLimit = Infinity,
    count = Infinity,
  }: Pick<RelaySettings, 'allow' | 'deny' | 'rateLimit' | 'count'>) {
    this.#access = new AccessList(allow, deny);
    this.#rateLimit = rateLimit === Infinity ? undefined : new RateLimit(rateLimit);
    this.#most = count;
  }

  /**
   * Returns the datagrams that are taken, and counts the others.
   *
   * @param received how many datagrams were taken before. Beyond `--count` datagrams are left out without being counted.
   */
  admit(runs: Run[], received: number): Run[] {
    let admitted = runs;
    if (!this.#access.open) admitted = admitted.filter((run) => this.#isAllowed(run));
    const limit = this.#rateLimit;
    if (limit !== undefined) admitted = admitted.flatMap((run) => this.#limit(run, limit));
    if (this.#most === Infinity) return admitted;
    let left = this.#most - received;
    return admitted.flatMap((run) => {
      const part = firstOf(run, Math.min(run.count, left));
      left -= part[0]?.count ?? 0;
      return part;
    });
  }

  #isAllowed({ remote, count }: Run): boolean {
    const isAllowed = this.#access.admits(remote);
    if (!isAllowed) this.denied += count;
    return isAllowed;
  }

  #limit(run: Run, limit: RateLimit): Run[] {
    const nowMs = performance.now();
    let count = 0;
    for (let nth = 0; nth < run.count; nth += 1) if (limit.admits(run.remote, nowMs)) count += 1;
    this.rateLimited += run.count - count;
    return firstOf(run, count);
  }
}

/** The first datagrams of a run, as a run; none for 0. */
function firstOf(run: Run, count: number): Run[] {
  if (count === run.count) return [run];
  if (count === 0) return [];
  return [{ ...run, count, bytes: run.bytes.subarray(0, count * run.segmentBytes) }];
}
