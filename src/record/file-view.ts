import { read } from 'node:fs';
import { promisify } from 'node:util';

const readInThread = promisify(read);

const BLOCK_BYTES = 1024 * 1024;

/** Reads the first `size` bytes of an open file, in blocks, so that a large file needs little memory. */
export class FileView {
  readonly size: number;
  readonly #fd: number;
  #block = Buffer.alloc(0);
  #blockAt = 0;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
  }

  /** Whether {@link bytes} needs no {@link load} before it. */
  holds(at: number, length: number): boolean {
    const end = Math.min(at + length, this.size);
    return at >= this.#blockAt && end <= this.#blockAt + this.#block.length;
  }

  /** Reads a block, which begins at this place and has at least so many bytes where the file has them. */
  async load(at: number, length = 0): Promise<void> {
    const wanted = Math.max(0, Math.min(Math.max(length, BLOCK_BYTES), this.size - at));
    const block = Buffer.allocUnsafeSlow(wanted);
    let filled = 0;
    while (filled < wanted) {
      const { bytesRead } = await readInThread(this.#fd, block, filled, wanted - filled, at + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    this.#block = block.subarray(0, filled);
    this.#blockAt = at;
  }

  /** Bytes of the block that was loaded last; fewer at the end of the file. */
  bytes(at: number, length: number): Buffer {
    const from = at - this.#blockAt;
    return this.#block.subarray(from, from + length);
  }

  /** Bytes of any place; fewer at the end of the file. */
  async read(at: number, length: number): Promise<Buffer> {
    if (!this.holds(at, length)) await this.load(at, length);
    return this.bytes(at, length);
  }
}

/** Bytes that replace as many at a place of a file. */
export interface Patch {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** How far a file is a recording of whole records. */
export interface Examination {
  /** Where the last whole record ends. What follows is part of one record, or nothing. */
  readonly wholeBytes: number;
  /** The last bytes of the last record, such as its newline, where only they are missing. */
  readonly missing?: Uint8Array;
  /**
   * Where one writer was killed and another one wrote on, part of a record stands before whole ones. These bytes make
   * readers pass over the part.
   */
  readonly patches: readonly Patch[];
  /** Where records end and something else begins that is too large to be part of one record. */
  readonly brokenAt?: number;
}
