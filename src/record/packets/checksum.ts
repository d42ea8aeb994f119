/**
 * The sum of the big-endian 16-bit words of `data` from `from` to `to`, an odd byte at the end padded with 0 (RFC 1071).
 * Not folded wholly: it stays below 2^18.
 */
export function sumWords(data: DataView, from: number, to: number): number {
  // The order of the bytes in a word changes that of the sum, and nothing else (RFC 1071 section 2 B); this one is the
  // fastest, and so are four sums of four bytes each, which as floating-point numbers are exact up to 2^53.
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

/** A sum below 2^46, of as many 32-bit words as make 65575 bytes, as one word, which has the same checksum. */
function foldWide(sum: number): number {
  const low = sum >>> 0;
  return foldSum((low & 0xffff) + (low >>> 16) + (sum - low) / 0x1_0000_0000);
}

/** A sum below 2^32 as one word, which has the same checksum. */
function foldSum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The checksum that a sum below 2^32 leads to: 0 to 65535 (RFC 1071). */
export function checksumOf(sum: number): number {
  return ~foldSum(sum) & 0xffff;
}
