import { type Endpoint, formatEndpoint } from '../net/index.js';
import { writeNumber } from '../text/digits.js';
import { escapeJson } from '../text/escape.js';
import { TIME_BYTES, writeTime } from '../text/time.js';
import type { ChunkBuilder } from './chunk-builder.js';
import { JSON_LINES_VERSION, payloadFields } from './json-lines.js';
import { PairTexts } from './pair-texts.js';
import { eachPayload, type Format, type HeadWriter } from './payloads.js';

/** The line before the time. */
const BEGIN = `{"v":${JSON_LINES_VERSION},"type":"datagram","time":"`;
const NO_NOTE = Buffer.alloc(0);
const DATA = Buffer.from(',"data":"');
const END = Buffer.from('"}\n');
/** The longest size of a payload in digits. */
const SIZE_DIGITS = 5;
/** The longest escape of one byte: `\u001f`. */
const ESCAPE_BYTES = 6;

/** The escape of each ASCII character in a JSON string. Undefined: the character is written as it is. */
const ESCAPES: readonly (Buffer | undefined)[] = Array.from({ length: 0x80 }, (_, code) => {
  const character = String.fromCharCode(code);
  const escaped = escapeJson(JSON.stringify(character).slice(1, -1).replace('\n', '\\n'));
  return escaped === character ? undefined : Buffer.from(escaped);
});

/** 1 for each byte that is written as it is. */
const PLAIN = Uint8Array.from({ length: 0x100 }, (_, byte) => (byte < 0x80 && ESCAPES[byte] === undefined ? 1 : 0));

/**
 * Makes a format that writes each datagram as a line, newline included. The payload is the text `data` if it is valid UTF-8,
 * otherwise `base64`.
 *
 * @param dir `in` for received datagrams, `out` for sent ones
 * @param bound the address of the socket, which is the field `local` if the local address of a datagram is not known
 * @param known the local address of datagrams that do not have their own; default: it is not known
 */
export function jsonDatagrams(dir: 'in' | 'out', bound: Endpoint, known?: Endpoint): Format {
  const [theirs, own] = dir === 'in' ? ['from', 'to'] : ['to', 'from'];
  const heads = new PairTexts((remote, local = known) => {
    const mine = local === undefined ? `"local":"${formatEndpoint(bound)}"` : `"${own}":"${formatEndpoint(local)}"`;
    return `${BEGIN}${' '.repeat(TIME_BYTES)}","dir":"${dir}","${theirs}":"${formatEndpoint(remote)}",${mine},"size":`;
  });
  const writeHead: HeadWriter = (item, size, chunk) => {
    const note = 'note' in item ? item.note : undefined;
    const head = heads.of(item.remote, item.local);
    const noted = note === undefined ? NO_NOTE : Buffer.from(`,${JSON.stringify(note).slice(1, -1)}`);
    const from = chunk.begin(head.length + SIZE_DIGITS + noted.length);
    const { buffer } = chunk;
    buffer.set(head, from);
    writeTime(item.timeMs, buffer, from + BEGIN.length);
    chunk.end(writeShort(noted, buffer, writeNumber(size, buffer, from + head.length)));
  };
  return eachPayload(writeHead, writePayload);
}

/** Writes the member of a payload, and the end of its line. */
function writePayload(bytes: Uint8Array, from: number, to: number, chunk: ChunkBuilder): void {
  const at = chunk.begin(DATA.length + (to - from) * ESCAPE_BYTES + END.length);
  const { buffer } = chunk;
  const end = writeAscii(bytes, from, to, buffer, writeShort(DATA, buffer, at));
  if (end < 0) chunk.text(`,${payloadMember(bytes.subarray(from, to))}}\n`);
  else chunk.end(writeShort(END, buffer, end));
}

/** Writes ASCII as the content of a JSON string. Returns the offset behind it, or -1 if a byte is not ASCII. */
function writeAscii(bytes: Uint8Array, from: number, to: number, buffer: Uint8Array, at: number): number {
  let nth = from;
  let end = at;
  for (;;) {
    // Four bytes at a time: nearly all payloads of text have few escapes, and one test for four bytes is faster.
    for (; nth + 4 <= to; nth += 4, end += 4) {
      const a = bytes[nth] as number;
      const b = bytes[nth + 1] as number;
      const c = bytes[nth + 2] as number;
      const d = bytes[nth + 3] as number;
      if (((PLAIN[a] as number) & (PLAIN[b] as number) & (PLAIN[c] as number) & (PLAIN[d] as number)) === 0) break;
      buffer[end] = a;
      buffer[end + 1] = b;
      buffer[end + 2] = c;
      buffer[end + 3] = d;
    }
    if (nth === to) return end;
    const stop = Math.min(nth + 4, to);
    for (; nth < stop; nth += 1) {
      const byte = bytes[nth] as number;
      if (PLAIN[byte] === 1) buffer[end++] = byte;
      else {
        const escape = ESCAPES[byte];
        if (escape === undefined) return -1;
        end = writeShort(escape, buffer, end);
      }
    }
  }
}

/** Writes a few bytes: a loop is faster than `set` then. Returns the offset behind them. */
function writeShort(bytes: Uint8Array, buffer: Uint8Array, at: number): number {
  const { length } = bytes;
  for (let nth = 0; nth < length; nth += 1) buffer[at + nth] = bytes[nth] as number;
  return at + length;
}

/** The payload as a member of JSON, for payloads that are not only ASCII. */
function payloadMember(data: Uint8Array): string {
  const { data: text, base64 = '' } = payloadFields(data);
  return text === undefined ? `"base64":"${base64}"` : `"data":${escapeJson(JSON.stringify(text))}`;
}
