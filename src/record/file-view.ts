import { read } from 'node:fs';
import { promisify } from 'node:util';

const readInThread = promisify(read);

const BLOCK_BYTES = 1024 * 1024;

/** Reads an open file in blocks of 1 MiB, so that a large file needs little memory. */
export class FileView {
  /** Number of bytes that can be read, from the beginning of the file. Bytes that are appended later are ignored. */
  readonly size: number;
  readonly #fd: number;
  #block = Buffer.alloc(0);
  #blockAt = 0;

  constructor(fd: number, size: number) {
    this.#fd = fd;
    this.size = size;
  }

  /** Whether {@link bytes} can return these bytes without another {@link load}. */
  holds(at: number, length: number): boolean {
    const end = Math.min(at + length, this.size);
    return at >= this.#blockAt && end <= this.#blockAt + this.#block.length;
  }

  /** Reads a block that begins at `at` and has at least `length` bytes, or all up to the end of the file. */
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

  /** Returns bytes of the loaded block. Returns fewer at its end. */
  bytes(at: number, length: number): Buffer {
    const from = at - this.#blockAt;
    return this.#block.subarray(from, from + length);
  }

  /** Returns bytes of any place. Returns fewer at the end of the file. */
  async read(at: number, length: number): Promise<Buffer> {
    if (!this.holds(at, length)) await this.load(at, length);
    return this.bytes(at, length);
  }
}

/** Bytes that overwrite the same number of bytes of a file, from offset `at` on. */
export interface Patch {
  readonly at: number;
  readonly bytes: Uint8Array;
}

/** Which part of a file is whole records. */
export interface Examination {
  /** Offset of the end of the last whole record. Part of one record may follow. */
  readonly wholeBytes: number;
  /** The bytes that complete the last record, if only they are missing: the newline of a JSON line. */
  readonly missing?: Uint8Array;
  /**
   * Repairs in the middle of the file. Example: one writer was killed in the middle of a record, and another continued
   * the file. A patch makes readers pass over that part of a record.
   */
  readonly patches: readonly Patch[];
  /** Offset at which the records end, and something begins that is too large to be part of one record. */
  readonly brokenAt?: number;
}
