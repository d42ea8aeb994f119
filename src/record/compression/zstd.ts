import type { InflateRaw } from 'node:zlib';
import * as zlib from 'node:zlib';
import { ByteSource } from '../byte-source.js';
import { CaptureError } from '../capture-error.js';
import { inflate, OUTPUT_BYTES } from './inflation.js';

/** Undefined before Node 22.15 and 23.8. It is declared here, because the type declarations are those of Node 20. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: { chunkSize: number }) => InflateRaw };

/** The maximum number of compressed bytes of one write. */
const INPUT_BYTES = 4096;

/**
 * Yields the uncompressed bytes of a zstd file: any number of frames (RFC 8878).
 *
 * @throws {CaptureError} if this Node has no zstd, or the file is broken or ends in a frame; the bytes before were
 *   yielded
 */
export async function* unzstd(compressed: ByteSource): AsyncGenerator<Uint8Array, undefined> {
  if (createZstdDecompress === undefined) {
    const needed = 'which needs Node 22.15 or later: pipe it through zstd -dc, and replay -';
    throw new CaptureError(0, `it is compressed by zstd, ${needed}`);
  }
  // Node reports the end of a frame only if more bytes follow. So a sentinel byte is added behind the last byte. These
  // two bytes are written last, in a write of their own. If the file ends in the middle of a frame, that write can fail
  // because of the sentinel. The output of all earlier bytes was read before.
  const source = new ByteSource(withSentinel(compressed));
  const peek = async (): Promise<Uint8Array> => {
    const bytes = await source.peekExactly(INPUT_BYTES + 2);
    return bytes.length > 2 ? bytes.subarray(0, -2) : bytes;
  };
  const place = (): number => Math.min(source.offset, compressed.offset);
  do yield* inflate('zstd', createZstdDecompress({ chunkSize: OUTPUT_BYTES }), source, peek, place);
  while ((await source.peekExactly(2)).length > 1);
}

async function* withSentinel(source: ByteSource): AsyncGenerator<Uint8Array, undefined> {
  for (let chunk = await source.takeChunk(); chunk !== undefined; chunk = await source.takeChunk()) yield chunk;
  yield Buffer.of(0);
}
