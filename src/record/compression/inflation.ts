import type { InflateRaw } from 'node:zlib';
import type { ByteSource } from '../byte-source.js';
import { CaptureError } from '../capture-error.js';

/** Bytes that come out at a time, at most. */
export const OUTPUT_BYTES = 64 * 1024;
/** Compressed bytes that go in at a time. Where they are broken, what came of those before the fault is lost. */
const INPUT_BYTES = 4096;

/**
 * What a decompressor of `node:zlib` makes of the bytes of a source, up to where the compressed data end. Those behind are
 * not taken.
 *
 * @param name What compressed them, for errors.
 * @param peek How the source is asked for bytes, if their number matters.
 * @param place Where the fault is, for errors.
 * @throws {CaptureError} If they are broken, or the source ends before they do; all that came of what stood before was given.
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
        throw new CaptureError(place(), `the file ends in the middle of what ${name} compressed`);
      }
      const before = stream.bytesWritten;
      let isTaken = false;
      const hasTaken = () => isTaken;
      stream.write(input, () => {
        isTaken = true;
        wake();
      });
      // The input is taken in once its output is read: so nothing is decompressed before there is a use for it.
      for (;;) {
        const chunk = stream.read() as Uint8Array | null;
        if (chunk !== null) yield chunk;
        else if (state().failure !== undefined) {
          throw new CaptureError(place(), `what ${name} compressed is broken: ${state().failure?.message ?? ''}`);
        } else if (hasTaken() || state().hasEnded) break;
        else await new Promise<void>((resolve) => (wake = resolve));
      }
      source.skip(stream.bytesWritten - before);
    }
  } finally {
    stream.destroy();
  }
}
