import { fstatSync, ftruncateSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';

/**
 * Writes to an open file, all of each chunk or an error. Node's own stream for a stdout that is a file takes it for done
 * when the disk had room for a part only.
 */
export class FileStream extends Writable {
  readonly #fd: number;
  /** How much the file held before. */
  readonly #bytesBefore: number;
  #bytesTaken = 0;

  constructor(fd: number) {
    super();
    this.#fd = fd;
    this.#bytesBefore = fstatSync(fd).size;
  }

  /** How many bytes the file has taken; it takes them at once. */
  get bytesTaken(): number {
    return this.#bytesTaken;
  }

  /**
   * Has the file end with the first so many of the bytes that it has taken, where they stand at its end and nobody else
   * has written to it since; otherwise it is left as it is.
   */
  cutTo(bytes: number): void {
    try {
      if (fstatSync(this.#fd).size !== this.#bytesBefore + this.#bytesTaken) return;
      ftruncateSync(this.#fd, this.#bytesBefore + bytes);
    } catch {
      // A reader finds the broken end, and tells.
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
