/** How a byte stream is cut into datagrams. */
export type Frame =
  | { readonly kind: 'lines' | 'null' | 'whole' | 'length' | 'json' }
  | { readonly kind: 'chunk'; readonly bytes: number };

/**
 * No piece of a stream may grow beyond this before it is decoded: above the largest datagram in any encoding, and low
 * enough that a stream without a delimiter cannot fill the memory.
 */
export const MAX_PIECE_BYTES = 1024 * 1024;

/** Cuts a stream that arrives in chunks of any size. Whatever chunks a piece was cut from, it is whole. */
export interface Cutter {
  /** The pieces that this chunk completes. */
  push(chunk: Uint8Array): Uint8Array[];
  /** The piece that the end of the stream completes, if there is one. */
  end(): Uint8Array[];
  /** Why the next piece cannot be cut; nothing is cut from then on. */
  readonly failure: string | undefined;
}

/** The cutter for a frame. JSON lines are cut as lines; what they stand for is the caller's. */
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

/** Bytes held back until their piece is complete. */
class Remainder {
  #parts: Uint8Array[] = [];
  length = 0;

  add(part: Uint8Array): void {
    if (part.length === 0) return;
    this.#parts.push(part);
    this.length += part.length;
  }

  take(): Uint8Array {
    const [only] = this.#parts;
    const whole = this.#parts.length === 1 && only !== undefined ? only : Buffer.concat(this.#parts);
    this.#parts = [];
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
    if (this.failure !== undefined) return pieces;
    let from = 0;
    for (let at = chunk.indexOf(this.#delimiter); at >= 0; at = chunk.indexOf(this.#delimiter, from)) {
      this.#rest.add(chunk.subarray(from, at));
      const piece = this.#rest.take();
      pieces.push(this.#dropCarriageReturn && piece.at(-1) === 0x0d ? piece.subarray(0, -1) : piece);
      from = at + 1;
    }
    this.#rest.add(chunk.subarray(from));
    if (this.#rest.length > MAX_PIECE_BYTES) this.failure = TOO_LONG;
    return pieces;
  }

  end(): Uint8Array[] {
    return this.#rest.length > 0 && this.failure === undefined ? [this.#rest.take()] : [];
  }
}

class WholeCutter implements Cutter {
  failure: string | undefined;
  readonly #rest = new Remainder();

  push(chunk: Uint8Array): Uint8Array[] {
    if (this.failure === undefined) this.#rest.add(chunk);
    if (this.#rest.length > MAX_PIECE_BYTES) this.failure = TOO_LONG;
    return [];
  }

  end(): Uint8Array[] {
    return this.failure === undefined ? [this.#rest.take()] : [];
  }
}

class ChunkCutter implements Cutter {
  readonly failure = undefined;
  readonly #bytes: number;
  readonly #rest = new Remainder();

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  push(chunk: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let from = 0;
    for (;;) {
      const to = from + this.#bytes - this.#rest.length;
      this.#rest.add(chunk.subarray(from, to));
      if (to > chunk.length) return pieces;
      pieces.push(this.#rest.take());
      from = to;
    }
  }

  end(): Uint8Array[] {
    return this.#rest.length > 0 ? [this.#rest.take()] : [];
  }
}

const PREFIX_BYTES = 4;

class LengthCutter implements Cutter {
  failure: string | undefined;
  readonly #rest = new Remainder();
  /** How long the rest must be before another piece, or a prefix, is complete. */
  #needed = PREFIX_BYTES;

  push(chunk: Uint8Array): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    if (this.failure !== undefined) return pieces;
    this.#rest.add(chunk);
    // A long piece that arrives in many chunks is put together once, when it is complete.
    if (this.#rest.length < this.#needed) return pieces;
    const bytes = this.#rest.take();
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let from = 0;
    this.#needed = PREFIX_BYTES;
    while (bytes.length - from >= PREFIX_BYTES) {
      const length = view.getUint32(from);
      if (length > MAX_PIECE_BYTES) {
        this.failure = `its length prefix says ${length} bytes`;
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
