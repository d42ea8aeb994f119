import { fstatSync, ftruncateSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';

/**
 * Writes to an open file. A chunk is written whole, or it is an error. Node's own stream for stdout reports success
 * when the disk had room for only a part of the chunk.
 */
export class FileStream extends Writable {
  readonly #fd: number;
  /** Size of the file when the stream was opened. */
  readonly #bytesBefore: number;
  #bytesTaken = 0;

  constructor(fd: number) {
    super();
    this.#fd = fd;
    this.#bytesBefore = fstatSync(fd).size;
  }

  /** Number of bytes that the file has taken from this stream. */
  get bytesTaken(): number {
    return this.#bytesTaken;
  }

  /**
   * Cuts the file behind the first `bytes` bytes of this stream. Leaves the file as it is if another process has
   * written to it.
   */
  cutTo(bytes: number): void {
    try {
      if (fstatSync(this.#fd).size !== this.#bytesBefore + this.#bytesTaken) return;
      ftruncateSync(this.#fd, this.#bytesBefore + bytes);
    } catch {
      // The file keeps its broken end. Its readers will report it.
    }
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    try {
      for (let at = 0; at < chunk.length;) {
        const bytes = writeSync(this.#fd, chunk, at);
        at += bytes;
        this.#bytesTaken += bytes;
      }
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  }
}
