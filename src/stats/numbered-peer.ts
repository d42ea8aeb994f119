import { LEAST_LIKENESS, likenessTo, readHeader } from '../input/numbered-header.js';
import { HEADER_BYTES } from '../input/payload.js';
import { type NumberedCounts, NumberedRun } from './numbered-run.js';

/** A peer counts as one without numbered payloads after this many datagrams in a row without a number. */
const READS = 16;
/** How often a datagram of such a peer is read, to see whether it begins to number its payloads. */
const READ_AGAIN_EVERY_MS = 1000;
/** Two runs of a peer are at least this far apart, because the second one is a new process. */
const PAUSE_MS = 20;
/** How many runs of a peer are told apart at a time. A datagram of an older run counts as one of a new run. */
const MAX_RUNS = 8;

/**
 * Finds the numbered payloads of one peer, and counts what their numbers show. To read every datagram takes time. So of a peer
 * without numbered payloads, only the first datagrams are read, and later one a second.
 */
export class NumberedPeer {
  readonly #maxGaps: number;
  /** The latest run first. */
  #runs: readonly NumberedRun[] = [];
  /** The counts of the runs that are not told apart any more. */
  #ended: NumberedCounts | undefined;
  /** The beginnings of the datagrams without a number, while no run is known. They may be corrupted payloads of the first one. */
  #unrecognized: readonly Uint8Array[] = [];
  #readsLeft = READS;
  /** How many datagrams of the peer came until the one that was read last. */
  #readTo = 0;

  /** @param maxGaps how many gaps in the numbers of each run are remembered */
  constructor(maxGaps: number) {
    this.#maxGaps = maxGaps;
  }

  /** The counts of all runs. Undefined if no payload had a number. */
  get counts(): NumberedCounts | undefined {
    const all = this.#runs.map(({ counts }) => counts);
    return addCounts([this.#ended, ...all]);
  }

  /**
   * Reads a datagram of the peer that came at `timeMs`. It stands in `bytes` from `from` to before `to`.
   *
   * @param before how many datagrams of the peer came before it
   * @param lastMs when the last of them came
   * @returns the time from which on the next datagram is to be read
   */
  read(bytes: Uint8Array, from: number, to: number, timeMs: number, before: number, lastMs: number): number {
    // Datagrams that were not read may be of the same run. After a pause, this datagram begins the run.
    const unread = timeMs - lastMs < PAUSE_MS ? before - this.#readTo : 0;
    this.#readTo = before + 1;
    if (this.#count(bytes, from, to, unread)) {
      this.#readsLeft = READS;
      return -Infinity;
    }
    this.#readsLeft = Math.max(0, this.#readsLeft - 1);
    if (this.#readsLeft === 0) {
      this.#unrecognized = [];
      return timeMs + READ_AGAIN_EVERY_MS;
    }
    if (this.#runs.length === 0) {
      // A copy: the socket may overwrite the payload.
      this.#unrecognized = [...this.#unrecognized, Uint8Array.from(beginning(bytes, from, to))];
    }
    return -Infinity;
  }

  /** Counts a datagram if it is a numbered payload. Returns whether it is one. */
  #count(bytes: Uint8Array, from: number, to: number, unread: number): boolean {
    const header = readHeader(bytes, from, to);
    if (header?.intact !== true) return this.#countCorrupted(beginning(bytes, from, to));
    this.#runOf(header.run, Math.min(unread, header.sequence)).take(header);
    if (this.#unrecognized.length > 0) {
      for (const early of this.#unrecognized) this.#countCorrupted(early);
      this.#unrecognized = [];
    }
    return true;
  }

  #countCorrupted(data: Uint8Array): boolean {
    let most = LEAST_LIKENESS - 1;
    let found: NumberedRun | undefined;
    for (const run of this.#runs) {
      const likeness = likenessTo(run.run, data);
      if (likeness > most) [most, found] = [likeness, run];
    }
    found?.takeCorrupted(data);
    return found !== undefined;
  }

  /** Returns the run with this number, as the latest one. */
  #runOf(number: number, unread: number): NumberedRun {
    const [latest] = this.#runs;
    if (latest?.run === number) return latest;
    const known = this.#runs.find(({ run }) => run === number);
    const run = known ?? new NumberedRun(number, this.#maxGaps, unread);
    const runs = [run, ...this.#runs.filter((other) => other !== run)];
    for (const oldest of runs.splice(MAX_RUNS)) this.#ended = addCounts([this.#ended, oldest.counts]);
    this.#runs = runs;
    return run;
  }
}

/** The header of a datagram, or fewer bytes if it is shorter. */
function beginning(bytes: Uint8Array, from: number, to: number): Uint8Array {
  return bytes.subarray(from, Math.min(to, from + HEADER_BYTES));
}

/** Adds counts. Undefined if there are none. */
export function addCounts(all: readonly (NumberedCounts | undefined)[]): NumberedCounts | undefined {
  const known = all.filter((counts) => counts !== undefined);
  if (known.length === 0) return undefined;
  const sum = (of: (counts: NumberedCounts) => number): number =>
    known.reduce((total, counts) => total + of(counts), 0);
  return {
    sent: sum(({ sent }) => sent),
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ duplicated }) => duplicated),
    reordered: sum(({ reordered }) => reordered),
    corrupted: sum(({ corrupted }) => corrupted),
  };
}
