import type { SkipTally } from '../skip-tally.js';

/**
 * Longest time from the first fragment of a datagram to the last, by the times in the capture (RFC 8200 section 4.5).
 */
const MAX_AGE_MS = 60_000;
/** The maximum number of incomplete datagrams at a time. When there are more, the oldest is dropped. */
const MAX_DATAGRAMS = 1024;
/**
 * The maximum number of bytes of all incomplete datagrams. Each fragment counts with its data and
 * {@link FRAGMENT_COST_BYTES}.
 */
const MAX_HELD_BYTES = 16 * 1024 * 1024;
/** Estimated memory of a fragment without its data. */
const FRAGMENT_COST_BYTES = 128;
/**
 * How long complete datagrams are remembered, and how many. A capture on two interfaces has each fragment twice: the
 * second one must not begin a new datagram.
 */
const MAX_COMPLETE_AGE_MS = 1000;
const MAX_COMPLETE = 1024;
const MAX_COMPLETE_BYTES = 4 * 1024 * 1024;
/** The largest IP payload. */
const MAX_PAYLOAD_BYTES = 65_535;

/** One IP fragment. */
export interface Fragment {
  /** The same for all fragments of a datagram: addresses, identification and, for IPv4, the protocol. */
  readonly key: string;
  /** When it was captured, in milliseconds since the epoch. NaN counts as the time of the fragment before. */
  readonly timeMs: number;
  /** The protocol number of the payload. Only that of the first fragment (offset 0) counts. */
  readonly protocol: number;
  /** Offset of its data in the payload of the IP packet, in bytes. */
  readonly offset: number;
  readonly data: Uint8Array;
  /** Whether it is the last fragment of its datagram. */
  readonly isLast: boolean;
}

/** The payload of an IP packet, put together from all its fragments. */
export interface Reassembled {
  readonly protocol: number;
  readonly data: Uint8Array;
}

interface Piece {
  readonly offset: number;
  readonly data: Uint8Array;
}

interface Partial {
  readonly startMs: number;
  /** The fragments so far, sorted by offset. */
  pieces: Piece[];
  heldBytes: number;
  gotBytes: number;
  totalBytes: number | undefined;
  protocol: number | undefined;
  /** Whether two fragments contradicted each other. Then all further fragments are dropped (RFC 5722). */
  isRejected: boolean;
}

interface Complete {
  readonly timeMs: number;
  readonly data: Uint8Array;
}

/**
 * Reassembles fragments that come in any order (RFC 791, RFC 8200 section 4.5). Time, number and memory are bounded.
 */
export class Reassembly {
  readonly #tally: SkipTally;
  /** Incomplete datagrams by key, the oldest first. */
  readonly #partials = new Map<string, Partial>();
  #heldBytes = 0;
  readonly #complete = new Map<string, Complete>();
  #completeBytes = 0;
  /** The time of the last fragment. NaN before the first fragment with a time. */
  #latestMs = NaN;

  /** @param tally Counts fragments of incomplete datagrams as `fragment`, and impossible ones as `malformed`. */
  constructor(tally: SkipTally) {
    this.#tally = tally;
  }

  /** Takes a fragment. Returns the payload that it completes, or undefined. A repeated fragment changes nothing. */
  add(fragment: Fragment): Reassembled | undefined {
    const { key, offset, data, isLast } = fragment;
    const endsWrong = !isLast && data.length % 8 !== 0;
    if (data.length === 0 || endsWrong || offset + data.length > MAX_PAYLOAD_BYTES) {
      this.#tally.add({ kind: 'malformed' });
      return undefined;
    }
    const timeMs = Number.isNaN(fragment.timeMs) ? this.#latestMs : fragment.timeMs;
    this.#latestMs = timeMs;
    this.#expire(timeMs);
    if (!this.#partials.has(key) && this.#wasComplete(fragment, timeMs)) return undefined;
    const partial = this.#partials.get(key) ?? this.#start(key, timeMs);
    if (partial.isRejected) {
      this.#tally.add({ kind: 'fragment' });
      return undefined;
    }
    switch (place(partial, fragment)) {
      case 'duplicate':
        return undefined;
      case 'overlap':
        this.#reject(partial);
        return undefined;
      case 'placed':
        this.#heldBytes += data.length + FRAGMENT_COST_BYTES;
        return this.#finish(key, timeMs, partial);
    }
  }

  /** Counts the fragments of incomplete datagrams. Call it at the end of the capture. */
  end(): void {
    for (const key of this.#partials.keys()) this.#drop(key);
  }

  #start(key: string, startMs: number): Partial {
    const partial: Partial = {
      startMs,
      pieces: [],
      heldBytes: 0,
      gotBytes: 0,
      totalBytes: undefined,
      protocol: undefined,
      isRejected: false,
    };
    this.#partials.set(key, partial);
    return partial;
  }

  /** Whether a fragment repeats a part of a complete datagram. A new datagram can have the same identification. */
  #wasComplete({ key, offset, data, isLast }: Fragment, timeMs: number): boolean {
    const complete = this.#complete.get(key);
    if (complete === undefined || Math.abs(timeMs - complete.timeMs) > MAX_COMPLETE_AGE_MS) return false;
    const end = offset + data.length;
    const isAtEnd = end === complete.data.length;
    return isLast === isAtEnd && Buffer.compare(complete.data.subarray(offset, end), data) === 0;
  }

  #remember(key: string, complete: Complete): void {
    this.#forget(key);
    this.#complete.set(key, complete);
    this.#completeBytes += complete.data.length;
    for (const oldest of this.#complete.keys()) {
      if (this.#complete.size <= MAX_COMPLETE && this.#completeBytes <= MAX_COMPLETE_BYTES) return;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#completeBytes -= this.#complete.get(key)?.data.length ?? 0;
    this.#complete.delete(key);
  }

  #finish(key: string, timeMs: number, partial: Partial): Reassembled | undefined {
    const { pieces, gotBytes, totalBytes, protocol } = partial;
    if (gotBytes !== totalBytes || protocol === undefined) {
      this.#keepBounds();
      return undefined;
    }
    const data = Buffer.allocUnsafe(totalBytes);
    for (const piece of pieces) data.set(piece.data, piece.offset);
    this.#partials.delete(key);
    this.#heldBytes -= partial.heldBytes;
    this.#remember(key, { timeMs, data });
    return { protocol, data };
  }

  #reject(partial: Partial): void {
    // One more: the fragment that contradicted the others.
    this.#tally.add({ kind: 'fragment' }, partial.pieces.length + 1);
    this.#heldBytes -= partial.heldBytes;
    partial.pieces = [];
    partial.heldBytes = 0;
    partial.isRejected = true;
  }

  #expire(nowMs: number): void {
    for (const [key, { startMs }] of this.#partials) {
      // Without a time there is no age (NaN). Then only the bounds on number and memory hold.
      if (!(nowMs - startMs > MAX_AGE_MS)) return;
      this.#drop(key);
    }
  }

  #keepBounds(): void {
    for (const key of this.#partials.keys()) {
      if (this.#partials.size <= MAX_DATAGRAMS && this.#heldBytes <= MAX_HELD_BYTES) return;
      this.#drop(key);
    }
  }

  #drop(key: string): void {
    const partial = this.#partials.get(key);
    if (partial === undefined) return;
    this.#tally.add({ kind: 'fragment' }, partial.pieces.length);
    this.#heldBytes -= partial.heldBytes;
    this.#partials.delete(key);
  }
}

/** Adds a fragment to its datagram, unless it repeats or contradicts an earlier one. */
function place(partial: Partial, { offset, data, isLast, protocol }: Fragment): 'placed' | 'duplicate' | 'overlap' {
  const { pieces, totalBytes } = partial;
  const end = offset + data.length;
  const at = positionOf(pieces, offset);
  const next = pieces[at];
  const previous = pieces[at - 1];
  if (next?.offset === offset && Buffer.compare(next.data, data) === 0) return 'duplicate';
  if (next !== undefined && (next.offset < end || isLast)) return 'overlap';
  if (previous !== undefined && previous.offset + previous.data.length > offset) return 'overlap';
  if (totalBytes !== undefined && (end > totalBytes || isLast)) return 'overlap';
  if (isLast) partial.totalBytes = end;
  if (offset === 0) partial.protocol = protocol;
  // Copied: a view would keep the whole chunk of the file in memory.
  pieces.splice(at, 0, { offset, data: Uint8Array.from(data) });
  partial.gotBytes += data.length;
  partial.heldBytes += data.length + FRAGMENT_COST_BYTES;
  return 'placed';
}

/** Returns the index of the first piece at or behind `offset`. */
function positionOf(pieces: readonly Piece[], offset: number): number {
  let from = 0;
  let to = pieces.length;
  while (from < to) {
    const middle = (from + to) >>> 1;
    if ((pieces[middle]?.offset ?? 0) < offset) from = middle + 1;
    else to = middle;
  }
  return from;
}
