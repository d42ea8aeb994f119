/** Numbers of two and four bytes, where an index out of range is read as 0: lengths are for the caller to check. */

/** The big-endian number of two bytes, as protocols of the Internet write it. */
export function uint16(data: Uint8Array, at: number): number {
  return ((data[at] ?? 0) << 8) | (data[at + 1] ?? 0);
}

/** The big-endian number of four bytes. */
export function uint32(data: Uint8Array, at: number): number {
  return ((uint16(data, at) << 16) | uint16(data, at + 2)) >>> 0;
}

/** A number of two bytes in the byte order of a file. */
export function uint16In(data: Uint8Array, at: number, littleEndian: boolean): number {
  return littleEndian ? (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8) : uint16(data, at);
}

/** A number of four bytes in the byte order of a file. */
export function uint32In(data: Uint8Array, at: number, littleEndian: boolean): number {
  if (!littleEndian) return uint32(data, at);
  return (uint16In(data, at, true) | (uint16In(data, at + 2, true) << 16)) >>> 0;
}
