/** The bytes of a file, or one more than `limitBytes` of them if it is longer. Pipes and devices are read to their end. */
export async function readPayloadFile(path: string, limitBytes: number): Promise<Uint8Array> {
  const { open, stat } = await import('node:fs/promises');
  if ((await stat(path)).isFIFO()) return readPipe(path, limitBytes);
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

/** To open or read a pipe that nobody writes to as a file would take a thread, for which the process waits at its end. */
async function readPipe(path: string, limitBytes: number): Promise<Uint8Array> {
  const { constants, openSync } = await import('node:fs');
  const { Socket } = await import('node:net');
  const pipe = new Socket({ fd: openSync(path, constants.O_RDONLY | constants.O_NONBLOCK), writable: false });
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of pipe) {
    chunks.push(chunk as Uint8Array);
    length += (chunk as Uint8Array).length;
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
