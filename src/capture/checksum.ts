/**
 * The sum of the big-endian 16-bit words of `data` from `from` to `to`, an odd byte at the end padded with 0 (RFC 1071).
 * Not folded: for at most 65575 bytes it stays below 2^32, whatever few words more are added to it.
 */
export function sumWords(data: Uint8Array, from: number, to: number): number {
  let sum = 0;
  const last = to - 1;
  let at = from;
  for (; at < last; at += 2) sum += ((data[at] as number) << 8) | (data[at + 1] as number);
  return at === last ? sum + ((data[at] as number) << 8) : sum;
}

/** The checksum that a sum below 2^32 leads to: 0 to 65535 (RFC 1071). */
export function checksumOf(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return ~((once & 0xffff) + (once >>> 16)) & 0xffff;
}
