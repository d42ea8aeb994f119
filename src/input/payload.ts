/** The bytes of a file, or one more than `limitBytes` of them if it is longer. Pipes and devices are read to their end. */
export async function readPayloadFile(path: string, limitBytes: number): Promise<Uint8Array> {
  const { readChunks } = await import('./file-chunks.js');
  return readPayload(readChunks(path), limitBytes);
}

/** All bytes of a stream, or one more than `limitBytes` of them if it is longer. */
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

const FIRST_PRINTABLE = 0x21;
const PRINTABLE_COUNT = 94;

/** A payload of so many bytes: the printable characters of ASCII from `!` to `~`, over and over. */
export function generatePayload(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => FIRST_PRINTABLE + (index % PRINTABLE_COUNT));
}
