import type { SkipTally } from '../skip-tally.js';

/** How long a datagram may take from its first fragment to its last, in the time of the capture (RFC 8200 section 4.5). */
const MAX_AGE_MS = 60_000;
/** Datagrams that are incomplete at one time; the oldest gives way to another. */
const MAX_DATAGRAMS = 1024;
/** Bytes that all of them hold, what each fragment costs beside its bytes included. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;
const FRAGMENT_COST_BYTES = 128;
/** How long the fragments of a datagram that is complete are known, should the capture have seen them twice; and how many. */
const MAX_COMPLETE_AGE_MS = 1000;
const MAX_COMPLETE = 1024;
const MAX_COMPLETE_BYTES = 4 * 1024 * 1024;
/** The largest IP payload. */
const MAX_PAYLOAD_BYTES = 65_535;

/** A piece of a datagram. */
export interface Fragment {
  /** Tells the datagrams apart: addresses, identification and, for IPv4, the protocol. */
  readonly key: string;
  /** When it was captured, in milliseconds since the epoch; NaN is taken for the time of the fragment before. */
  readonly timeMs: number;
  /** The protocol of what the datagram carries; only the first fragment says it for certain. */
  readonly protocol: number;
  /** Where in the datagram's payload it belongs, in bytes. */
  readonly offset: number;
  readonly data: Uint8Array;
  /** Whether it is the last: more follow it otherwise. */
  readonly isLast: boolean;
}

/** The payload of a datagram all of whose fragments came. */
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
  /** In the order of their offsets. */
  pieces: Piece[];
  heldBytes: number;
  gotBytes: number;
  totalBytes: number | undefined;
  protocol: number | undefined;
  /** Fragments of it contradicted each other: whatever more comes belongs to no datagram (RFC 5722). */
  isRejected: boolean;
}

interface Complete {
  readonly timeMs: number;
  readonly data: Uint8Array;
}

/** Puts fragments together, in whatever order they come (RFC 791, RFC 8200 section 4.5), within bounds of its own. */
export class Reassembly {
  readonly #tally: SkipTally;
  /** By key, the oldest first. */
  readonly #partials = new Map<string, Partial>();
  #heldBytes = 0;
  readonly #complete = new Map<string, Complete>();
  #completeBytes = 0;
  /** NaN before the first fragment whose time is known. */
  #latestMs = NaN;

  /** @param tally Counts each fragment that leads to nothing as `fragment`, one that cannot be as `malformed`. */
  constructor(tally: SkipTally) {
    this.#tally = tally;
  }

  /** Takes one fragment; gives the payload that it completes. One that came before, also of a complete datagram, is none. */
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

  /** Counts what is incomplete: nothing more will come. */
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

  /** Whether it is part of a datagram that is complete, and not of another that has its identification. */
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
    // The one that contradicted them as well.
    this.#tally.add({ kind: 'fragment' }, partial.pieces.length + 1);
    this.#heldBytes -= partial.heldBytes;
    partial.pieces = [];
    partial.heldBytes = 0;
    partial.isRejected = true;
  }

  #expire(nowMs: number): void {
    for (const [key, { startMs }] of this.#partials) {
      // Where a time is not known, neither is the age: the other bounds hold.
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

/** Puts a fragment among those that came before it, unless it contradicts one of them. */
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
  // A view would keep all that was read together with it.
  pieces.splice(at, 0, { offset, data: Uint8Array.from(data) });
  partial.gotBytes += data.length;
  partial.heldBytes += data.length + FRAGMENT_COST_BYTES;
  return 'placed';
}

/** The index of the first piece that does not begin before `offset`. */
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
