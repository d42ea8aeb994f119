import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import type { Datagram, Run } from '../../src/net/index.js';
import { cutRuns } from '../../src/net/runs.js';
import { ChunkBuilder } from '../../src/output/chunk-builder.js';
import type { FormatOptions } from '../../src/output/formats/format.js';
import { createFormat, type FormatName, FORMAT_NAMES } from '../../src/output/formats/table.js';
import { createPalette } from '../../src/output/palette.js';
import { testWith } from '../support/peers.js';
import { fc, holds, payloads } from '../support/property.js';

const palette = await createPalette(false);
const bound = { address: '::', port: 8000 };

const datagram = (data: string | Uint8Array, changes: Partial<Datagram> = {}): Datagram => ({
  data: typeof data === 'string' ? Buffer.from(data, 'latin1') : data,
  remote: { address: '127.0.0.1', port: 40_000 },
  local: { address: '127.0.0.1', port: 8000 },
  timeMs: 0,
  ...changes,
});

/** Writes datagrams and runs in a format. Returns the output as latin1. */
function written(
  name: FormatName,
  given: readonly (Datagram | Run | string)[],
  options: Partial<FormatOptions> = {},
): string {
  const format = createFormat(name, { meta: false, terminal: false, palette, bound, ...options });
  const chunk = new ChunkBuilder();
  for (const one of given) format?.(typeof one === 'string' ? datagram(one) : one, chunk);
  return chunk.take().toString('latin1');
}

const META = '1970-01-01T00:00:00.000000Z 127.0.0.1:40000 > 127.0.0.1:8000';

describe('utf8', () => {
  test.each([
    ['hello', 'hello\n'],
    ['hello\n', 'hello\n'],
    ['hello\n\n', 'hello\n\n'],
    ['a\r\n', 'a\r\n'],
    ['', '\n'],
    ['\n', '\n'],
    ['a\nb', 'a\nb\n'],
    ['\x1b[2J\xff\0', '\x1b[2J\xff\0\n'],
  ])('writes %j to a pipe as %j: its bytes, and a newline unless it ends in one', (payload, line) => {
    expect(written('utf8', [payload])).toBe(line);
  });

  test.each([
    ['hello', 'hello\n'],
    ['hello\n', 'hello\n'],
    ['hello\n\n', 'hello\\n\n'],
    ['a\r\n', 'a\\r\n'],
    ['', '\n'],
    ['a\nb', 'a\\nb\n'],
    ['\x1b[2J\xff\0', '\\x1b[2J\\xff\\0\n'],
  ])('writes %j to a terminal as %j: one line that does nothing', (payload, line) => {
    expect(written('utf8', [payload], { terminal: true })).toBe(line);
  });

  test('leaves any bytes unchanged in a pipe', () => {
    holds(
      fc.property(payloads, (payload) => {
        const bytes = Buffer.from(payload).toString('latin1');
        expect(written('utf8', [datagram(payload)])).toBe(bytes.endsWith('\n') ? bytes : `${bytes}\n`);
      }),
    );
  });
});

test('hex is one line of lower-case digits', () => {
  expect(written('hex', ['\x0a\xff', '', 'a'])).toBe('0aff\n\n61\n');
});

test('base64 is one line, padded', () => {
  expect(written('base64', ['hi', '', '\xff'])).toBe('aGk=\n\n/w==\n');
  expect(written('base64', ['x'.repeat(300)])).toBe(`${'eHh4'.repeat(100)}\n`);
});

test('raw is the bytes and nothing else', () => {
  expect(written('raw', ['a', '', '\0\xff\n', 'b'])).toBe('a\0\xff\nb');
});

test('json is a line of its own for each datagram', () => {
  const lines = written('json', ['a', '', '\xff']).split('\n');
  expect(lines).toHaveLength(4);
  expect(lines.slice(0, 3).map((line) => JSON.parse(line) as unknown)).toMatchObject([
    { size: 1, data: 'a' },
    { size: 0, data: '' },
    { size: 1, base64: '/w==' },
  ]);
});

test('none is no format at all', () => {
  expect(createFormat('none', { meta: true, terminal: false, palette, bound })).toBeUndefined();
});

describe('dump', () => {
  test('is a header, then lines of offset, bytes and gutter, then the size in hex', () => {
    expect(written('dump', ['hello world\n\0\x7f\x80\xff!'])).toBe(
      `${META} 17 bytes\n` +
        '00000000  68 65 6c 6c 6f 20 77 6f  72 6c 64 0a 00 7f 80 ff  |hello world.....|\n' +
        '00000010  21                                                |!|\n' +
        '00000011\n',
    );
  });

  test('of an empty datagram is the header alone', () => {
    expect(written('dump', [''])).toBe(`${META} 0 bytes\n`);
  });

  test('shows no character that acts on a terminal', () => {
    holds(
      fc.property(payloads, (payload) => {
        expect(written('dump', [datagram(payload)], { terminal: true })).toMatch(/^[\n -~]*$/);
      }),
    );
  });

  testWith('hexdump', 'is what hexdump -C -v writes, at every size of the last line and for random bytes', () => {
    const sizes = [...Array(40).keys(), 255, 256, 4096, 65_507];
    const samples = fc.sample(fc.uint8Array({ minLength: 65_507, maxLength: 65_507 }), { numRuns: 1, seed: 1 });
    const all = [
      ...sizes.map((size) => samples[0]!.slice(0, size)),
      ...fc.sample(payloads, { numRuns: 40 }),
      Uint8Array.from({ length: 512 }, (_, index) => index % 256),
      new Uint8Array(100),
    ];
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-dump-'));
    try {
      for (const payload of all) {
        writeFileSync(join(folder, 'payload'), payload);
        const expected = execFileSync('hexdump', ['-C', '-v', join(folder, 'payload')], { env: { LC_ALL: 'C' } });
        const [, ...dump] = written('dump', [datagram(payload)]).split('\n');
        expect(dump.join('\n')).toBe(expected.toString('latin1'));
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('what --meta puts first', () => {
  test.each([
    ['utf8', 'hello\n', `${META} 6 bytes: hello\n`],
    ['utf8', 'a', `${META} 1 byte: a\n`],
    ['utf8', '', `${META} 0 bytes: \n`],
    ['hex', 'hi', `${META} 2 bytes: 6869\n`],
    ['base64', 'hi', `${META} 2 bytes: aGk=\n`],
    ['dump', '', `${META} 0 bytes\n`],
    ['raw', 'hi', 'hi'],
  ] as const)('in %s, for %j', (name, payload, text) => {
    expect(written(name, [payload], { meta: true })).toBe(text);
  });

  test('is nothing in JSON, which has it all', () => {
    expect(written('json', ['a'], { meta: true })).toBe(written('json', ['a']));
  });

  test('shows the bound address where the destination is not known, and IPv6 in brackets', () => {
    const one = datagram('a', { remote: { address: 'fe80::1%eth0', port: 1 }, local: undefined });
    expect(written('utf8', [one], { meta: true })).toBe(
      '1970-01-01T00:00:00.000000Z [fe80::1%eth0]:1 > [::]:8000 1 byte: a\n',
    );
  });

  test('is coloured where colour is wanted, and the payload is not', async () => {
    const colored = written('utf8', ['a'], { meta: true, palette: await createPalette(true) });
    expect(colored).toMatch(/^\x1b\[2m1970.*Z\x1b\[22m \x1b\[36m.*\x1b\[39m 1 byte: a\n$/); // eslint-disable-line no-control-regex
  });
});

describe.each(FORMAT_NAMES)('a run in %s', (name) => {
  /** Bytes of which a payload is made: any, text, ASCII, and ASCII with a few characters that JSON escapes. */
  const contents = [
    fc.uint8Array({ minLength: 1 }),
    fc.string({ unit: 'binary', minLength: 1 }).map((text) => Buffer.from(text)),
    fc.string({ unit: 'grapheme-ascii', minLength: 1 }).map((text) => Buffer.from(text)),
    fc.constantFrom('a"', 'abc\\', 'abcd\n', 'abcdefgh\x7f').map((text) => Buffer.from(text)),
  ];
  const counted = fc.record({
    content: fc.oneof(...contents),
    segmentBytes: fc.nat(70),
    asked: fc.integer({ min: 1, max: 5 }),
    missing: fc.nat(80),
    remote: fc.constantFrom({ address: '192.0.2.1', port: 7 }, { address: 'fe80::1%eth0', port: 65_535 }),
    local: fc.constantFrom(undefined, { address: '2001:db8::1', port: 8000 }),
    timeMs: fc.double({ min: 0, max: 4e12, noNaN: true }),
  });

  /** Runs of which the last payload can lack some bytes. It has at least one, as in the kernel. */
  const runs = counted.map(({ content, segmentBytes, asked, missing, ...common }): Run => {
    const count = segmentBytes === 0 ? 1 : asked;
    const length = segmentBytes * count - Math.min(missing, Math.max(0, segmentBytes - 1));
    return { bytes: Buffer.alloc(length, content), segmentBytes, count, ...common };
  });

  test.each([false, true])('is what its datagrams are one by one, with meta %j', (meta) => {
    holds(
      fc.property(fc.array(runs, { maxLength: 3 }), fc.boolean(), (whole, terminal) => {
        const options = { meta, header: meta, terminal };
        expect(written(name, whole, options)).toBe(written(name, cutRuns(whole), options));
      }),
      { runs: 100 },
    );
  });

  test('is what its datagrams are where it fills a message of the kernel', () => {
    for (const [segmentBytes, content] of [
      [65_507, 'é'],
      [65_507, 'a'],
      [1023, '\0'],
      [64, '\xff'],
    ] as const) {
      const bytes = Buffer.alloc(65_507, content, 'latin1');
      const { remote, local, timeMs } = datagram(bytes);
      const run = { bytes, segmentBytes, count: Math.ceil(bytes.length / segmentBytes), remote, local, timeMs };
      expect(written(name, [run]) === written(name, cutRuns([run]))).toBe(true);
    }
  });
});

test.each(FORMAT_NAMES)('the largest datagram is whole in %s, between two others', (name) => {
  const largest = Buffer.alloc(65_527, 'x');
  const three = written(name, ['a', datagram(largest), 'b'], { terminal: true });
  expect(three).toBe(written(name, ['a']) + written(name, [datagram(largest)]) + written(name, ['b']));
  if (name === 'utf8') expect(three).toHaveLength(65_532);
});
