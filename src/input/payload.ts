/** The bytes of a file, or one more than `limitBytes` of them if it is longer. Pipes and devices are read to their end. */
export async function readPayloadFile(path: string, limitBytes: number): Promise<Uint8Array> {
  const { open } = await import('node:fs/promises');
  await using file = await open(path, 'r');
  const buffer = Buffer.alloc(limitBytes + 1);
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}

const FIRST_PRINTABLE = 0x21;
const PRINTABLE_COUNT = 94;

/** A payload of so many bytes: the printable characters of ASCII from `!` to `~`, over and over. */
export function generatePayload(bytes: number): Uint8Array {
  return Uint8Array.from({ length: bytes }, (_, index) => FIRST_PRINTABLE + (index % PRINTABLE_COUNT));
}
