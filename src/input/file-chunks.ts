import { constants, createReadStream, openSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import { addAbortSignal } from 'node:stream';

/**
 * The bytes of a file, device or pipe from its beginning, in chunks.
 *
 * @param signal aborts a read that is under way, as that of a pipe that nobody writes to
 * @throws the system's error, when first read; the error of an aborted `signal`
 */
export async function* readChunks(path: string, signal?: AbortSignal): AsyncGenerator<Uint8Array, undefined> {
  // To open or read a pipe that nobody writes to as a file would take a thread, for which the process waits at its end.
  const isPipe = (await stat(path)).isFIFO();
  const stream = isPipe
    ? new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writable: false })
    : createReadStream(path);
  if (signal !== undefined) addAbortSignal(signal, stream);
  for await (const chunk of stream) yield chunk as Uint8Array;
}
