import type { InflateRaw } from 'node:zlib';
import * as zlib from 'node:zlib';
import { ByteSource } from '../byte-source.js';
import { CaptureError } from '../capture-error.js';
import { inflate, OUTPUT_BYTES } from './inflation.js';

/** Node 22.15 and 23.8 were the first to have it; the declarations are those of the oldest Node that udpcat runs on. */
const { createZstdDecompress } = zlib as { createZstdDecompress?: (options: { chunkSize: number }) => InflateRaw };

/** Compressed bytes that go in at a time, at most. */
const INPUT_BYTES = 4096;

/**
 * What zstd compressed: any number of frames (RFC 8878).
 *
 * @throws {CaptureError} If this Node has no zstd, or at what is broken, the end of the file in a frame included; all
 *   before it was given.
 */
export async function* unzstd(compressed: ByteSource): AsyncGenerator<Uint8Array, undefined> {
  if (createZstdDecompress === undefined) {
    const needed = 'which Node reads from 22.15 on: with this one pipe it through zstd -dc, and replay -';
    throw new CaptureError(0, `it is compressed by zstd, ${needed}`);
  }
  // Node tells that a frame has ended only if more bytes are there. So one is put behind the last, and given together
  // with the last alone: if the file ends in a frame, that byte may be an error, and what came of the others was read.
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
