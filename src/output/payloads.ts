import type { Run } from '../net/index.js';
import { asRun } from '../net/runs.js';
import type { ChunkBuilder } from './chunk-builder.js';
import type { NotedDatagram } from './json-lines.js';

/** One datagram, or a run of datagrams. */
export type Item = NotedDatagram | Run;

/** Writes one datagram, or all datagrams of a run, into a chunk. */
export type Format = (item: Item, chunk: ChunkBuilder) => void;

/** Writes the text before a payload of `size` bytes. */
export type HeadWriter = (item: Item, size: number, chunk: ChunkBuilder) => void;

/** Writes a payload: the bytes from the offset `from` to the offset `to`, without the byte at `to`. */
export type PayloadWriter = (bytes: Uint8Array, from: number, to: number, chunk: ChunkBuilder) => void;

/**
 * Makes a format that writes each payload behind its head. The datagrams of a run have one sender and one time. So payloads of one
 * size have the same head, which is made once and then copied.
 *
 * @param writeHead undefined: payloads have no head
 */
export function eachPayload(writeHead: HeadWriter | undefined, write: PayloadWriter): Format {
  return (item, chunk) => {
    const { bytes, segmentBytes, count } = asRun(item);
    const headAt = chunk.length;
    let headBytes = 0;
    for (let nth = 0; nth < count; nth += 1) {
      const from = nth * segmentBytes;
      const to = Math.min(from + segmentBytes, bytes.length);
      if (nth > 0 && to - from === segmentBytes) chunk.repeat(headAt, headBytes);
      else {
        writeHead?.(item, to - from, chunk);
        if (nth === 0) headBytes = chunk.length - headAt;
      }
      write(bytes, from, to, chunk);
    }
  };
}
