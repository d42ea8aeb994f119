/**
 * Sums the big-endian 16-bit words of `data` from `from` to `to`. An odd byte at the end is padded with 0 (RFC 1071).
 * The result is below 2^18. To get a checksum over several parts, add their results and call {@link checksumOf}.
 */
export function sumWords(data: DataView, from: number, to: number): number {
  // The words are read as little-endian, because that is fastest. The sum then has its two bytes swapped (RFC 1071
  // section 2 B), and they are swapped back at the end. Four sums of 32-bit words are faster than one.
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  let at = from;
  for (; at <= to - 16; at += 16) {
    first += data.getUint32(at, true);
    second += data.getUint32(at + 4, true);
    third += data.getUint32(at + 8, true);
    fourth += data.getUint32(at + 12, true);
  }
  for (; at <= to - 4; at += 4) first += data.getUint32(at, true);
  const sum = foldWide(first + second + third + fourth);
  let rest = 0;
  if (at <= to - 2) {
    rest = data.getUint16(at);
    at += 2;
  }
  if (at < to) rest += data.getUint8(at) << 8;
  return ((sum & 0xff) << 8) + (sum >>> 8) + rest;
}

/**
 * Copies `length` bytes, which is a multiple of 4, and returns the same sum of them as {@link sumWords}.
 */
export function copyWords(source: DataView, from: number, target: DataView, to: number, length: number): number {
  let first = 0;
  for (let at = 0; at < length; at += 4) {
    const word = source.getUint32(from + at, true);
    first += word;
    target.setUint32(to + at, word, true);
  }
  const sum = foldWide(first);
  return ((sum & 0xff) << 8) + (sum >>> 8);
}

/** Folds a sum of 32-bit words to 16 bits, without changing its checksum. @param sum below 2^46 (65575 bytes) */
function foldWide(sum: number): number {
  const low = sum >>> 0;
  return foldSum((low & 0xffff) + (low >>> 16) + (sum - low) / 0x1_0000_0000);
}

/** Folds a sum of 16-bit words to 16 bits, without changing its checksum. @param sum below 2^32 */
function foldSum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** Returns the checksum of a sum of words: 0 to 65535 (RFC 1071). @param sum below 2^32 */
export function checksumOf(sum: number): number {
  return ~foldSum(sum) & 0xffff;
}
