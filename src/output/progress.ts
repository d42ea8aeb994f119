import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { FileStream } from './file-stream.js';

/** The progress of a stream, in bytes since it was opened. */
export interface Progress {
  /** Bytes that were given to the stream. */
  readonly given: number;
  /** Bytes of them that the system has taken. */
  readonly taken: number;
}

/** The part of a pipe inside Node. */
interface Handle {
  /** Bytes that were given to libuv. */
  readonly bytesWritten: number;
  /** Bytes of them that still wait in libuv. */
  readonly writeQueueSize: number;
}

/** Returns the progress of a stream. Undefined if it cannot be known, for example of a pipe that failed. */
export function progressOf(stream: Writable): Progress | undefined {
  if (stream instanceof FileStream) return { given: stream.bytesTaken, taken: stream.bytesTaken };
  if (!(stream instanceof Socket) || stream.errored !== null) return undefined;
  const { _handle: handle } = stream as unknown as { readonly _handle?: Handle | null };
  if (typeof handle?.writeQueueSize !== 'number') return undefined;
  return { given: stream.bytesWritten, taken: handle.bytesWritten - handle.writeQueueSize };
}
