import { describe, expect, test } from '@jest/globals';
import { fc, holdsAsync } from '../support/property.js';
import { datagrams } from './arbitraries.js';
import { comparable, jsonlRecord, readAll } from './files.js';

const line = (fields: object): Buffer =>
  Buffer.from(
    `${JSON.stringify({
      v: 1,
      type: 'datagram',
      time: '2026-11-22T08:00:00.123456Z',
      from: '127.0.0.1:40000',
      to: '127.0.0.1:8000',
      data: 'hello',
      ...fields,
    })}\n`,
  );

const TIME_MS = Date.UTC(2026, 10, 22, 8, 0, 0) + 123.456;

describe('a recording that was written as JSON lines', () => {
  test('is read back as the same sequence, in both directions, the time to the microsecond', async () => {
    const directed = fc.tuple(datagrams, fc.constantFrom('in' as const, 'out' as const));
    await holdsAsync(
      fc.asyncProperty(fc.array(directed, { maxLength: 4 }), fc.integer({ min: 1, max: 5000 }), async (all, chunk) => {
        const file = Buffer.from(all.map(([datagram, dir]) => jsonlRecord(datagram, dir)).join(''));
        const { datagrams, error } = await readAll(file, file.length > 50_000 ? 5000 : chunk);
        expect(error).toBeUndefined();
        const exact = all.map(([datagram], n) => ({ ...datagram, timeMs: datagrams[n]?.timeMs ?? 0 }));
        expect(datagrams.map(comparable)).toEqual(exact.map(comparable));
        for (const [n, [{ timeMs }]] of all.entries()) {
          expect(Math.abs((datagrams[n]?.timeMs ?? 0) - timeMs)).toBeLessThan(0.001);
        }
      }),
    );
  });

  test('keeps the zone of an address, and has the wildcard address as "local"', async () => {
    const datagram = {
      timeMs: TIME_MS,
      source: { address: 'fe80::1%nosuch0', port: 1 },
      destination: { address: '::', port: 2 },
      data: Buffer.of(0xff),
    };
    const text = jsonlRecord(datagram, 'in');
    expect(JSON.parse(text)).toMatchObject({ from: '[fe80::1%nosuch0]:1', local: '[::]:2' });
    expect((await readAll(Buffer.from(text))).datagrams.map(comparable)).toEqual([comparable(datagram)]);
  });
});

describe('a recording of JSON lines', () => {
  test('is read from the output of -o json and --record, with other lines in between', async () => {
    const file = Buffer.concat([
      Buffer.from('\n{"v":1,"type":"listening","time":"2026-11-22T08:00:00Z","address":"127.0.0.1:8000"}\r\n \n'),
      line({ dir: 'in', data: 'a' }),
      line({ dir: 'out', data: 'b', from: undefined, local: '[::]:40000' }),
      line({ dir: 'in', data: undefined, base64: '/w==', to: undefined, local: '0.0.0.0:8000' }),
      line({ data: 'd', from: '[::FFFF:192.0.2.1]:1', time: '2026-11-22T09:00:00.123456+01:00' }).subarray(0, -1),
    ]);
    const { datagrams, error } = await readAll(file);
    expect(error).toBeUndefined();
    const [home, far] = [
      { address: '127.0.0.1', port: 40_000 },
      { address: '127.0.0.1', port: 8000 },
    ];
    expect(datagrams).toEqual([
      { timeMs: TIME_MS, source: home, destination: far, data: Buffer.from('a') },
      { timeMs: TIME_MS, source: { address: '::', port: 40_000 }, destination: far, data: Buffer.from('b') },
      { timeMs: TIME_MS, source: home, destination: { address: '0.0.0.0', port: 8000 }, data: Buffer.of(0xff) },
      { timeMs: TIME_MS, source: { address: '192.0.2.1', port: 1 }, destination: far, data: Buffer.from('d') },
    ]);
  });

  test.each([
    ['is not JSON', Buffer.from('{"v":1,\n'), 'it is not valid JSON'],
    ['is no UTF-8', Buffer.from([0x7b, 0xff, 0x0a]), 'it is not valid UTF-8'],
    ['has an unknown direction', line({ dir: 'up' }), 'its "dir" is neither "in" nor "out"'],
    ['has no payload', line({ data: undefined }), 'a datagram has exactly one of "data" and "base64"'],
    ['has another size', line({ size: 4 }), 'its "size" is not that of its payload, which has 5 bytes'],
    ['has text for a size', line({ size: '5' }), 'its "size" is not that of its payload, which has 5 bytes'],
    ['has no sender', line({ from: undefined, local: '127.0.0.1:1' }), 'it has no "from"'],
    ['has no receiver', line({ to: undefined }), 'it has no "to" and no "local"'],
    ['has a name for an address', line({ to: 'name:8000' }), 'its "to" is not ADDRESS:PORT or [ADDRESS]:PORT'],
    ['has a port that is none', line({ to: '127.0.0.1:65536' }), 'its "to" is not ADDRESS:PORT or [ADDRESS]:PORT'],
    ['has an address that is none', line({ from: '[fe80::x]:1' }), 'its "from" is not ADDRESS:PORT or [ADDRESS]:PORT'],
    ['has a number for an address', line({ from: 1 }), 'its "from" is not ADDRESS:PORT or [ADDRESS]:PORT'],
    [
      'has no time',
      line({ time: undefined }),
      'its "time" is no time from 1970 to 2255, such as 2026-11-22T08:00:00.123456Z',
    ],
    [
      'has a time that is none',
      line({ time: '2026-13-22T08:00:00Z' }),
      'its "time" is no time from 1970 to 2255, such as 2026-11-22T08:00:00.123456Z',
    ],
    ['has too much for a datagram', line({ data: 'a'.repeat(65_508) }), 'it has 65508 bytes, and the limit is 65507'],
    ['never ends', Buffer.alloc(3 * 1024 * 1024, '{'), 'it is longer than 1048576 bytes'],
  ])('with a line that %s is an error with its number and place, after what came before', async (_name, bad, why) => {
    const good = line({});
    const { datagrams, error } = await readAll(Buffer.concat([good, Buffer.from('\n'), bad, good]));
    expect(datagrams).toHaveLength(1);
    expect(error?.message).toBe(`at line 3, byte ${good.length + 1}: ${why}`);
    expect(error).toMatchObject({ line: 3, offset: good.length + 1 });
  });
});

test.each([
  ['an empty file', Buffer.of(), undefined],
  ['a file of empty lines', Buffer.from('\n\r\n'), undefined],
  [
    'text',
    Buffer.from('hello'),
    'a file that begins with the bytes 68656c6c is no recording; pcap, pcapng and JSON lines are read, and editcap converts other captures to pcap',
  ],
  [
    'two bytes',
    Buffer.of(1, 2),
    'a file that begins with the bytes 0102 is no recording; pcap, pcapng and JSON lines are read, and editcap converts other captures to pcap',
  ],
  [
    'the beginning of a compressed file',
    Buffer.of(0x1f, 0x8b, 8, 0, 0),
    'the file ends in the middle of its gzip data',
  ],
])('%s holds nothing, and the error says what it is', async (_name, file, why) => {
  for (const chunkBytes of [1, 1000]) {
    const { datagrams, error } = await readAll(file, chunkBytes);
    expect(datagrams).toEqual([]);
    expect(error?.message).toBe(why && `at byte 0: ${why}`);
  }
});
