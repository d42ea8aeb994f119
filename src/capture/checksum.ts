const IS_LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** Below this the bytes are summed one by one: to find the words would take longer. */
const FEW_BYTES = 48;

/** The memory summed last, as words: many records are written into the same. */
let lastWords: Int32Array = new Int32Array();

function wordsOf(memory: ArrayBufferLike): Int32Array {
  if (lastWords.buffer !== memory) lastWords = new Int32Array(memory, 0, memory.byteLength >> 2);
  return lastWords;
}

/**
 * The sum of the big-endian 16-bit words of `data` from `from` to `to`, an odd byte at the end padded with 0 (RFC 1071).
 * Not folded, or not wholly: for at most 65575 bytes it stays below 2^32, whatever few words more are added to it.
 */
export function sumWords(data: Uint8Array, from: number, to: number): number {
  if (to - from < FEW_BYTES) return sumBytes(data, from, to, 0);
  const begin = from + (-(data.byteOffset + from) & 3);
  const count = (to - begin) >> 2;
  const end = begin + 4 * count;
  // The order of the bytes in a word changes that of the sum, and nothing else (RFC 1071 section 2 B).
  const isOdd = (begin - from) & 1;
  const sum = foldSum(sumAligned(wordsOf(data.buffer), (data.byteOffset + begin) >> 2, count));
  const middle = IS_LITTLE_ENDIAN === (isOdd === 0) ? ((sum & 0xff) << 8) | (sum >>> 8) : sum;
  return sumBytes(data, from, begin, 0) + middle + sumBytes(data, end, to, isOdd);
}

/** @param isOdd 1 if the first byte is the lower half of a word, else 0 */
function sumBytes(data: Uint8Array, from: number, to: number, isOdd: number): number {
  let sum = 0;
  let at = from;
  if (isOdd === 1 && at < to) sum = data[at++] as number;
  const last = to - 1;
  for (; at < last; at += 2) sum += ((data[at] as number) << 8) | (data[at + 1] as number);
  return at === last ? sum + ((data[at] as number) << 8) : sum;
}

/** The sum of 16-bit words in the byte order of this host, two at a time. */
function sumAligned(words: Int32Array, from: number, count: number): number {
  let [low, high] = [0, 0];
  for (let at = from; at < from + count; at += 1) {
    const word = words[at] as number;
    low += word & 0xffff;
    high += word >>> 16;
  }
  return low + high;
}

/** A sum below 2^32 as one word, which has the same checksum. */
export function foldSum(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The checksum that a sum below 2^32 leads to: 0 to 65535 (RFC 1071). */
export function checksumOf(sum: number): number {
  return ~foldSum(sum) & 0xffff;
}
