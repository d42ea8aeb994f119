import { sumWords } from '../../src/record/packets/checksum.js';

/** Returns the {@link sumWords} of all bytes. */
export function sumOf(bytes: Uint8Array): number {
  return sumWords(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length);
}
