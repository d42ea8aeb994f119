/**
 * Reads unsigned numbers of two and four bytes. Bytes beyond the end of the data are read as 0: the caller checks the
 * length.
 */

/** Reads two bytes as a big-endian number (network byte order). */
export function uint16(data: Uint8Array, at: number): number {
  return ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
}

/** Reads four bytes as a big-endian number. */
export function uint32(data: Uint8Array, at: number): number {
  return ((uint16(data, at) << 16) | uint16(data, at + 2)) >>> 0;
}

/** Reads two bytes as a number in the byte order of a file. */
export function uint16In(data: Uint8Array, at: number, littleEndian: boolean): number {
  return littleEndian ? (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) : uint16(data, at);
}

/** Reads four bytes as a number in the byte order of a file. */
export function uint32In(data: Uint8Array, at: number, littleEndian: boolean): number {
  if (!littleEndian) return uint32(data, at);
  return (uint16In(data, at, true) | (uint16In(data, at + 2, true) << 16)) >>> 0;
}
