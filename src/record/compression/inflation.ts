import type { InflateRaw } from 'node:zlib';
import type { ByteSource } from '../byte-source.js';
import { CaptureError } from '../capture-error.js';

/** The maximum number of uncompressed bytes of one chunk. */
export const OUTPUT_BYTES = 64 * 1024;
/**
 * The maximum number of compressed bytes of one write. If they are broken, zlib gives no output of them: so few bytes
 * are lost.
 */
const INPUT_BYTES = 4096;

/**
 * Yields the uncompressed bytes of a source, up to the end of the compressed data. Bytes behind the end are not taken.
 *
 * @param name Name of the compression, for errors.
 * @param stream A decompressor of `node:zlib`.
 * @param peek Returns the next compressed bytes of the source, and does not take them.
 * @param place Returns the offset of a fault, for errors.
 * @throws {CaptureError} if the compressed data are broken, or the source ends before they do; all bytes before were
 *   yielded
 */
export async function* inflate(
  name: string,
  stream: InflateRaw,
  source: ByteSource,
  peek = () => source.peek(INPUT_BYTES),
  place = () => source.offset,
): AsyncGenerator<Uint8Array, undefined> {
  let failure: Error | undefined;
  let hasEnded = false;
  let wake = (): void => undefined;
  stream.on('readable', () => {
    wake();
  });
  stream.on('end', () => {
    hasEnded = true;
    wake();
  });
  stream.on('error', (error) => {
    failure = error;
    wake();
  });
  const state = () => ({ failure, hasEnded });
  try {
    while (!state().hasEnded) {
      const input = await peek();
      if (input.length === 0) {
        throw new CaptureError(place(), `the file ends in the middle of its ${name} data`);
      }
      const before = stream.bytesWritten;
      let isTaken = false;
      const hasTaken = () => isTaken;
      stream.write(input, () => {
        isTaken = true;
        wake();
      });
      // The stream takes its input only as its output is read. So nothing is decompressed before somebody wants it.
      for (;;) {
        const chunk = stream.read() as Uint8Array | null;
        if (chunk !== null) yield chunk;
        else if (state().failure !== undefined) {
          throw new CaptureError(place(), `its ${name} data are broken: ${state().failure?.message ?? ''}`);
        } else if (hasTaken() || state().hasEnded) break;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      source.skip(stream.bytesWritten - before);
    }
  } finally {
    stream.destroy();
  }
}
