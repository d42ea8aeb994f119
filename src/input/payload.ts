/**
 * Reads a file, pipe or device, but at most `limitBytes` + 1 bytes: the caller sees from the size that it is too long.
 *
 * @param signal ends the reading of a pipe, also while nobody writes to it
 * @throws the error of the system if the file cannot be opened or read, and the reason of an aborted `signal`
 */
export async function readPayloadFile(path: string, limitBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
  const { readChunks } = await import('./file-chunks.js');
  return readPayload(readChunks(path, signal), limitBytes);
}

/** Reads a stream, but at most `limitBytes` + 1 bytes: the caller sees from the size that it is too long. */
export async function readPayload(input: AsyncIterable<Uint8Array>, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of input) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > limitBytes) break;
  }
  return Buffer.concat(chunks).subarray(0, limitBytes + 1);
}

/** Bytes of the header of a numbered payload. A shorter payload has no number. */
export const HEADER_BYTES = 16;

const FIRST_PRINTABLE = 0x21;
const PRINTABLE_COUNT = 94;

/** Generates a payload of `bytes` bytes: the characters of ASCII from `!` to `~`, repeated. */
export function generatePayload(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => FIRST_PRINTABLE + (index % PRINTABLE_COUNT));
}
