import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { FileStream } from './file-stream.js';

/** How far a stream has got, in bytes since it was opened. */
export interface Progress {
  /** What it was given. */
  readonly given: number;
  /** What of that the system has taken. */
  readonly taken: number;
}

/** Of a pipe, as Node has it: bytes given to libuv, and those of them that wait there. */
interface Handle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

/** How far a stream has got; undefined where that cannot be known, as of a pipe that failed. */
export function progressOf(stream: Writable): Progress | undefined {
  if (stream instanceof FileStream) return { given: stream.bytesTaken, taken: stream.bytesTaken };
  if (!(stream instanceof Socket) || stream.errored !== null) return undefined;
  const { _handle: handle } = stream as unknown as { readonly _handle?: Handle | null };
  if (typeof handle?.writeQueueSize !== 'number') return undefined;
  return { given: stream.bytesWritten, taken: handle.bytesWritten - handle.writeQueueSize };
}
