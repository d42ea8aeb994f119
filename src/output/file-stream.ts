import { writeSync } from 'node:fs';
import { Writable } from 'node:stream';

/**
 * Writes to an open file, all of each chunk or an error. Node's own stream for a stdout that is a file takes it for done
 * when the disk had room for a part only.
 */
export class FileStream extends Writable {
  readonly #fd: number;

  constructor(fd: number) {
    super();
    this.#fd = fd;
  }

  override _write(chunk: Uint8Array, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    try {
      for (let at = 0; at < chunk.length;) at += writeSync(this.#fd, chunk, at);
    } catch (error) {
      done(error as Error);
      return;
    }
    done();
  }
}
