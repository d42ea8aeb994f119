import { sumWords } from '../../src/record/packets/checksum.js';

/** The sum that {@link sumWords} has for all of the bytes. */
export function sumOf(bytes: Uint8Array): number {
  return sumWords(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.length);
}
