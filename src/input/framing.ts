import { ValueError } from '../net/errors.js';
import { readSize } from '../text/size.js';
import { completing } from '../text/value.js';

/** How a byte stream is cut into datagrams: the values of `--frame`. */
export type Frame =
  | { readonly kind: 'lines' | 'null' | 'whole' | 'length' | 'json' }
  | { readonly kind: 'chunk'; readonly bytes: number };

/**
 * The maximum number of bytes of a piece before it is decoded. The largest datagram fits in any encoding,
 * and a stream without a delimiter cannot fill the memory.
 */
export const MAX_PIECE_BYTES = 1024 * 1024;

/** Cuts a stream into pieces. The stream arrives in chunks of any size; the pieces do not depend on them. */
export interface Cutter {
  /** Takes a chunk. Returns the pieces that it completes. */
  push(chunk: Uint8Array): Uint8Array[];
  /** Ends the stream. Returns its last piece, if there is one. */
  end(): Uint8Array[];
  /** Why the next piece cannot be cut. Undefined while all is well. After a failure no more pieces are cut. */
  readonly failure: string | undefined;
}

/** Makes the cutter for a frame. JSON is cut into lines; the caller decodes them. */
export function createCutter(frame: Frame): Cutter {
  switch (frame.kind) {
    case 'lines':
    case 'json':
      return new DelimiterCutter(0x0a, true);
    case 'null':
      return new DelimiterCutter(0x00, false);
    case 'whole':
      return new WholeCutter();
    case 'chunk':
      return new ChunkCutter(frame.bytes);
    case 'length':
      return new LengthCutter();
  }
}

const TOO_LONG = `it is longer than ${MAX_PIECE_BYTES} bytes`;

/** Collects the bytes of an incomplete piece. It copies them: many small chunks then take no more memory than one. */
class Remainder {
  #buffer: Uint8Array = new Uint8Array();
  length = 0;

  add(part: Uint8Array): void {
    const length = this.length + part.length;
    if (length > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(length, 2 * this.#buffer.length));
      larger.set(this.#buffer.subarray(0, this.length));
      this.#buffer = larger;
    }
    this.#buffer.set(part, this.length);
    this.length = length;
  }

  /** Returns the collected bytes, with `last` at their end, and begins anew. */
  take(last?: Uint8Array): Uint8Array {
    if (this.length === 0 && last !== undefined) return last;
    if (last !== undefined) this.add(last);
    const whole = this.#buffer.subarray(0, this.length);
    this.#buffer = new Uint8Array();
    this.length = 0;
    return whole;
  }
}

class DelimiterCutter implements Cutter {
  failure: string | undefined;
  readonly #delimiter: number;
  readonly #dropCarriageReturn: boolean;
  readonly #rest = new Remainder();

  constructor(delimiter: number, dropCarriageReturn: boolean) {
    this.#delimiter = delimiter;
    this.#dropCarriageReturn = dropCarriageReturn;
  }

  push(chunk: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let from = 0;
    while (this.failure === undefined) {
      const at = chunk.indexOf(this.#delimiter, from);
      const part = chunk.subarray(from, at < 0 ? undefined : at);
      if (this.#rest.length + part.length > MAX_PIECE_BYTES) this.failure = TOO_LONG;
      else if (at >= 0) pieces.push(this.#withoutCarriageReturn(this.#rest.take(part)));
      else {
        this.#rest.add(part);
        break;
      }
      from = at + 1;
    }
    return pieces;
  }

  #withoutCarriageReturn(piece: Uint8Array): Uint8Array {
    return this.#dropCarriageReturn && piece.at(-1) === 0x0d ? piece.subarray(0, -1) : piece;
  }

  end(): Uint8Array[] {
    return this.#rest.length > 0 && this.failure === undefined ? [this.#rest.take()] : [];
  }
}

class WholeCutter implements Cutter {
  failure: string | undefined;
  readonly #rest = new Remainder();

  push(chunk: Uint8Array): Uint8Array[] {
    if (this.#rest.length + chunk.length > MAX_PIECE_BYTES) this.failure = TOO_LONG;
    if (this.failure === undefined) this.#rest.add(chunk);
    return [];
  }

  end(): Uint8Array[] {
    return this.failure === undefined ? [this.#rest.take()] : [];
  }
}

class ChunkCutter implements Cutter {
  failure: string | undefined;
  readonly #bytes: number;
  readonly #rest = new Remainder();

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  push(chunk: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let from = 0;
    while (this.failure === undefined) {
      const to = from + this.#bytes - this.#rest.length;
      const part = chunk.subarray(from, to);
      if (this.#rest.length + part.length > MAX_PIECE_BYTES) this.failure = TOO_LONG;
      else if (to <= chunk.length) pieces.push(this.#rest.take(part));
      else {
        this.#rest.add(part);
        break;
      }
      from = to;
    }
    return pieces;
  }

  end(): Uint8Array[] {
    return this.#rest.length > 0 && this.failure === undefined ? [this.#rest.take()] : [];
  }
}

const PREFIX_BYTES = 4;

class LengthCutter implements Cutter {
  failure: string | undefined;
  readonly #rest = new Remainder();
  /** Number of bytes that complete the next length prefix, or the next piece with its prefix. */
  #needed = PREFIX_BYTES;

  push(chunk: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    if (this.failure !== undefined) return pieces;
    // A long piece in many chunks is examined only once, when it is complete.
    if (this.#rest.length + chunk.length < this.#needed) {
      this.#rest.add(chunk);
      return pieces;
    }
    const bytes = this.#rest.take(chunk);
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let from = 0;
    this.#needed = PREFIX_BYTES;
    while (bytes.length - from >= PREFIX_BYTES) {
      const length = view.getUint32(from);
      if (length > MAX_PIECE_BYTES) {
        this.failure = `its length prefix says ${length} bytes; the limit is ${MAX_PIECE_BYTES}`;
        return pieces;
      }
      this.#needed = PREFIX_BYTES + length;
      if (bytes.length - from < this.#needed) break;
      pieces.push(bytes.subarray(from + PREFIX_BYTES, from + this.#needed));
      from += this.#needed;
      this.#needed = PREFIX_BYTES;
    }
    this.#rest.add(bytes.subarray(from));
    return pieces;
  }

  end(): Uint8Array[] {
    if (this.failure === undefined && this.#rest.length > 0) {
      const missing = this.#needed - this.#rest.length;
      this.failure = `the input ends ${missing} bytes before it is complete`;
    }
    return [];
  }
}

const PLAIN_FRAMES = ['lines', 'null', 'whole', 'length', 'json'] as const;

/** Reads a frame: `lines`, `null`, `whole`, `length`, `json`, or `chunk:` and a size in bytes. @throws {ValueError} */
export const parseFrame = completing([...PLAIN_FRAMES, 'chunk:'], (text): Frame => {
  const plain = PLAIN_FRAMES.find((kind) => kind === text);
  if (plain !== undefined) return { kind: plain };
  const bytes = text.startsWith('chunk:') ? readSize(text.slice('chunk:'.length)) : undefined;
  if (bytes === undefined || bytes < 1) {
    throw new ValueError('A frame is lines, null, whole, chunk:N (N bytes from 1), length or json.');
  }
  return { kind: 'chunk', bytes };
});
