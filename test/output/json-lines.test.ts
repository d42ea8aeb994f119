import { isUtf8 } from 'node:buffer';
import { describe, expect, test } from '@jest/globals';
import type { Datagram } from '../../src/net/index.js';
import { ChunkBuilder } from '../../src/output/chunk-builder.js';
import { jsonDatagrams } from '../../src/output/json-datagrams.js';
import { formatEvent, payloadFields } from '../../src/output/json-lines.js';
import { escapeJson } from '../../src/text/escape.js';
import { formatDatagram } from '../support/json-lines.js';
import { fc, holds, payloads, textPayloads } from '../support/property.js';

const bound = { address: '::', port: 8000 };

const datagram = (data: Uint8Array): Datagram => ({
  data,
  remote: { address: '127.0.0.1', port: 40_000 },
  local: { address: '127.0.0.1', port: 8000 },
  timeMs: Date.UTC(2026, 10, 22, 8, 0, 0, 123) + 0.456,
});

describe('a datagram as a JSON line', () => {
  test('is what the contract shows', () => {
    expect(formatDatagram(datagram(Buffer.from('hello')), 'in', bound)).toBe(
      '{"v":1,"type":"datagram","time":"2026-11-22T08:00:00.123456Z","dir":"in","from":"127.0.0.1:40000","to":"127.0.0.1:8000","size":5,"data":"hello"}\n',
    );
  });

  test('has the bound address as local where its own destination is not known', () => {
    const line = formatDatagram({ ...datagram(Buffer.from('a')), local: undefined }, 'in', bound);
    expect(JSON.parse(line)).toMatchObject({ from: '127.0.0.1:40000', local: '[::]:8000' });
    expect(JSON.parse(line)).not.toHaveProperty('to');
  });

  test('that was sent goes the other way', () => {
    expect(JSON.parse(formatDatagram(datagram(Buffer.from('a')), 'out', bound))).toMatchObject({
      dir: 'out',
      from: '127.0.0.1:8000',
      to: '127.0.0.1:40000',
    });
  });

  test('has data for valid UTF-8 and base64 for anything else, never both, and its size in bytes', () => {
    holds(
      fc.property(fc.oneof(payloads, textPayloads), (payload) => {
        const fields = JSON.parse(formatDatagram(datagram(payload), 'in', bound)) as Record<string, unknown>;
        expect(fields.size).toBe(payload.length);
        expect('data' in fields).toBe(isUtf8(payload));
        expect('base64' in fields).toBe(!isUtf8(payload));
      }),
    );
  });

  test('has exactly its payload', () => {
    const ascii = fc.string({ unit: 'binary-ascii' }).map((text) => Buffer.from(text));
    holds(
      fc.property(fc.oneof(ascii, payloads, textPayloads), (payload) => {
        const line = formatDatagram(datagram(payload), 'in', bound);
        const { data, base64 } = JSON.parse(line) as { data?: string; base64?: string };
        expect(Buffer.from(data ?? base64 ?? '', data === undefined ? 'base64' : 'utf8').equals(payload)).toBe(true);
      }),
    );
  });

  test('escapes the characters that JSON and terminals want escaped, and no others', () => {
    // All characters of the first plane, without surrogates, and one of another plane.
    const all = [
      ...Array.from({ length: 0xd800 }, (_, code) => code),
      ...Array.from({ length: 0x2000 }, (_, nth) => 0xe000 + nth),
    ];
    for (let from = 0; from < all.length; from += 1000) {
      const text = `${String.fromCharCode(...all.slice(from, from + 1000))}😀`;
      expect(formatDatagram(datagram(Buffer.from(text)), 'in', bound)).toMatch(
        `"data":${escapeJson(JSON.stringify(text))}}\n`,
      );
    }
  });

  test('is one line without a raw control character, separator or mark of direction', () => {
    const marks = Buffer.from('\u202e\u2066\u200f\u061c\u2028\ufeff\x1b\x7f\x85\n\r');
    holds(
      fc.property(fc.oneof(payloads, textPayloads), (payload) => {
        const line = formatDatagram(datagram(Buffer.concat([payload, marks])), 'in', bound);
        // eslint-disable-next-line no-control-regex -- these are what must not be there
        expect(line.slice(0, -1)).not.toMatch(/[\x00-\x1f\x7f-\x9f\p{Bidi_Control}\u2028\u2029\ufeff]/u);
        expect(line.endsWith('}\n')).toBe(true);
      }),
    );
  });
});

test('lines of many peers, sizes and times follow one another in a chunk', () => {
  const chunk = new ChunkBuilder();
  const write = jsonDatagrams('in', bound);
  const peers = [40_000, 1, 65_535].map((port) => ({ address: '2001:db8::1', port }));
  const locals = [undefined, { address: '2001:db8::2', port: 7 }];
  const given = [0, 9, 10, 99, 100, 65_507].flatMap((size, nth) =>
    peers.flatMap((remote) =>
      locals.map((local) => ({ data: Buffer.alloc(size, 'a"'), remote, local, timeMs: 1000 * nth + 0.001 * nth })),
    ),
  );
  for (const one of [...given, ...given]) write(one, chunk);
  const expected = given.map(({ data, remote, local, timeMs }, index) => {
    const own = local === undefined ? { local: '[::]:8000' } : { to: '[2001:db8::2]:7' };
    const time = `1970-01-01T00:00:0${(timeMs / 1000) | 0}.00000${Math.floor(index / 6)}Z`;
    const ends = { from: `[2001:db8::1]:${remote.port}`, ...own };
    return JSON.stringify({ v: 1, type: 'datagram', time, dir: 'in', ...ends, size: data.length, data: String(data) });
  });
  expect(chunk.take().toString().split('\n')).toEqual([...expected, ...expected, '']);
});

test('an event has version, type and time before its own fields, and hostile text in them is escaped', () => {
  const line = formatEvent({ type: 'error', code: 'REFUSED', message: 'no\n\u202e\x9b' }, 0);
  expect(line).toBe(
    '{"v":1,"type":"error","time":"1970-01-01T00:00:00.000000Z","code":"REFUSED","message":"no\\n\\u202e\\u009b"}\n',
  );
});

test('a payload as fields keeps a byte-order mark', () => {
  expect(payloadFields(Buffer.from('\ufeffa'))).toEqual({ data: '\ufeffa' });
  expect(payloadFields(Buffer.of(0xff))).toEqual({ base64: '/w==' });
});
