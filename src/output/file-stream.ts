import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';

/**
 * Writes to an open file, all of each chunk or an error. Node's own stream for a stdout that is a file takes it for done
 * when the disk had room for a part only.
 */
export class FileStream extends Writable {
  readonly #fd: number;
  #bytesTaken = 0;

  constructor(fd: number) {
    super();
    this.#fd = fd;
  }

  /** How many bytes the file has taken; it takes them at once. */
  get bytesTaken(): number {
    return this.#bytesTaken;
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
