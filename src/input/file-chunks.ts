import { constants, createReadStream, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';

/**
 * Reads a file, device or pipe from its beginning, in chunks.
 *
 * @param signal Ends the reading of a pipe, also while nobody writes to it.
 * @throws the error of the system if the file cannot be opened or read, and the reason of an aborted `signal`
 */
export async function* readChunks(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, undefined> {
  // A file is read by a thread of libuv. In a pipe without a writer that thread would wait for ever, and the process
  // could not end. A socket waits without a thread.
  const isPipe = (await stat(path)).isFIFO();
  const stream = isPipe
    ? new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writable: false })
    : createReadStream(path);
  if (signal !== undefined && isPipe) addAbortSignal(signal, stream);
  try {
    for await (const chunk of stream) yield chunk as Uint8Array;
  } catch (error) {
    if (isPipe) signal?.throwIfAborted();
    throw error;
  }
}
