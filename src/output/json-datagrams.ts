import { type Endpoint, formatEndpoint } from '../net/index.js';
import { writeNumber } from '../text/digits.js';
import { escapeJson } from '../text/escape.js';
import { TIME_BYTES, writeTime } from '../text/time.js';
import type { ChunkBuilder } from './chunk-builder.js';
import { JSON_LINES_VERSION, type NotedDatagram, payloadFields } from './json-lines.js';
import { PairTexts } from './pair-texts.js';

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

/** Writes datagrams as JSON lines of one direction. */
export class JsonDatagrams {
  readonly #heads: PairTexts;

  /** @param dir `in` for received datagrams, `out` for sent ones */
  constructor(dir: 'in' | 'out', bound: Endpoint) {
    const [theirs, own] = dir === 'in' ? ['from', 'to'] : ['to', 'from'];
    this.#heads = new PairTexts((remote, local) => {
      const mine = local === undefined ? `"local":"${formatEndpoint(bound)}"` : `"${own}":"${formatEndpoint(local)}"`;
      return `${BEGIN}${' '.repeat(TIME_BYTES)}","dir":"${dir}","${theirs}":"${formatEndpoint(remote)}",${mine},"size":`;
    });
  }

  /**
   * Writes a datagram as a line, newline included. The payload is the text `data` if it is valid UTF-8, otherwise `base64`.
   * Without its own local address the line has the bound address as `local`.
   */
  write({ data, remote, local, timeMs, note }: NotedDatagram, chunk: ChunkBuilder): void {
    const head = this.#heads.of(remote, local);
    const noted = note === undefined ? NO_NOTE : Buffer.from(`,${JSON.stringify(note).slice(1, -1)}`);
    const most = head.length + SIZE_DIGITS + noted.length + DATA.length + data.length * ESCAPE_BYTES + END.length;
    const from = chunk.begin(most);
    const { buffer } = chunk;
    buffer.set(head, from);
    writeTime(timeMs, buffer, from + BEGIN.length);
    let at = writeShort(noted, buffer, writeNumber(data.length, buffer, from + head.length));
    const payload = at;
    at = writeAscii(data, buffer, writeShort(DATA, buffer, at));
    if (at < 0) {
      chunk.end(payload);
      chunk.text(`,${payloadMember(data)}}\n`);
      return;
    }
    chunk.end(writeShort(END, buffer, at));
  }
}

/** Writes ASCII as the content of a JSON string. Returns the offset behind it, or -1 if a byte is not ASCII. */
function writeAscii(data: Uint8Array, buffer: Uint8Array, at: number): number {
  const plain = countPlain(data);
  buffer.set(plain === data.length ? data : data.subarray(0, plain), at);
  let end = at + plain;
  for (let nth = plain; nth < data.length; nth += 1) {
    const byte = data[nth] as number;
    if (PLAIN[byte] === 1) buffer[end++] = byte;
    else {
      const escape = ESCAPES[byte];
      if (escape === undefined) return -1;
      end = writeShort(escape, buffer, end);
    }
  }
  return end;
}

/** Counts the bytes before the first one that is not written as it is. */
function countPlain(data: Uint8Array): number {
  const { length } = data;
  let nth = 0;
  while (nth < length && PLAIN[data[nth] as number] === 1) nth += 1;
  return nth;
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
