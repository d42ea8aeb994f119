import { isDeepStrictEqual } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { createCutter, type Frame, MAX_PIECE_BYTES } from '../../src/input/framing.js';
import { fc, holds, payloads } from '../support/property.js';

/** Cuts a stream that arrives in these chunks. Returns the pieces, and the failure if there was one. */
function cut(frame: Frame, chunks: readonly Uint8Array[]): { pieces: string[]; failure: string | undefined } {
  const cutter = createCutter(frame);
  const pieces: Uint8Array[] = [];
  for (const chunk of chunks) {
    pieces.push(...cutter.push(chunk));
    if (cutter.failure !== undefined) break;
  }
  if (cutter.failure === undefined) pieces.push(...cutter.end());
  return { pieces: pieces.map((piece) => Buffer.from(piece).toString('latin1')), failure: cutter.failure };
}

type Cut = ReturnType<typeof cut>;

/** Expects equal results. `toEqual` takes long for the thousands of pieces that there can be. */
function expectSame(actual: Cut, expected: Cut): void {
  if (!isDeepStrictEqual(actual, expected)) expect(actual).toEqual(expected);
}

const cutText = (frame: Frame, ...chunks: string[]) =>
  cut(
    frame,
    chunks.map((chunk) => Buffer.from(chunk, 'latin1')),
  );

/** Splits a stream into chunks at the given offsets. */
function split(stream: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ends = [...new Set(places.map((place) => place % (stream.length + 1)))].sort((a, b) => a - b);
  return [0, ...ends].map((start, index) => stream.subarray(start, ends[index] ?? stream.length));
}

const lengthPrefixed = (payload: Uint8Array): Buffer => {
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(payload.length);
  return Buffer.concat([prefix, payload]);
};

const FRAMES: readonly Frame[] = [
  { kind: 'lines' },
  { kind: 'null' },
  { kind: 'whole' },
  { kind: 'chunk', bytes: 1 },
  { kind: 'chunk', bytes: 7 },
  { kind: 'length' },
  { kind: 'json' },
];

/** Streams with many delimiters, carriage returns and length prefixes. */
const streams = fc
  .array(
    fc.oneof(
      payloads,
      fc.constantFrom('\n', '\r\n', '\r', '\0', '\0\0\0\x02ab').map((text) => Buffer.from(text)),
      payloads.map(lengthPrefixed),
    ),
  )
  .map((parts) => Buffer.concat(parts));

describe.each(FRAMES.map((frame) => ({ name: JSON.stringify(frame), frame })))('the frame $name', ({ frame }) => {
  test('cuts the same pieces however the stream is chunked', () => {
    holds(
      fc.property(streams, fc.array(fc.nat(), { maxLength: 12 }), (stream, places) => {
        expectSame(cut(frame, split(stream, places)), cut(frame, [stream]));
      }),
    );
  });

  test('cuts the same pieces when the stream comes byte by byte', () => {
    holds(
      fc.property(streams, (stream) => {
        const bytes = Array.from(stream, (_, index) => stream.subarray(index, index + 1));
        expectSame(cut(frame, bytes), cut(frame, [stream]));
      }),
    );
  });
});

describe('what was framed is what is cut', () => {
  const without = (byte: number) => payloads.map((payload) => payload.filter((value) => value !== byte));
  const frames = [
    { frame: { kind: 'null' }, pieces: without(0), write: (piece: Uint8Array) => Buffer.concat([piece, Buffer.of(0)]) },
    {
      frame: { kind: 'lines' },
      pieces: without(0x0a).filter((piece) => piece.at(-1) !== 0x0d),
      write: (piece: Uint8Array) => Buffer.concat([piece, Buffer.from('\n')]),
    },
    {
      frame: { kind: 'lines' },
      pieces: without(0x0a),
      write: (piece: Uint8Array) => Buffer.concat([piece, Buffer.from('\r\n')]),
    },
    { frame: { kind: 'length' }, pieces: payloads, write: lengthPrefixed },
    {
      frame: { kind: 'chunk', bytes: 5 },
      pieces: fc.uint8Array({ minLength: 5, maxLength: 5 }),
      write: (piece: Uint8Array) => piece,
    },
  ] as const;

  test.each(frames.map((entry, index) => ({ ...entry, name: `${index + 1}: ${entry.frame.kind}` })))(
    'for $name',
    ({ frame, pieces, write }) => {
      holds(
        fc.property(fc.array(pieces), fc.array(fc.nat(), { maxLength: 6 }), (given, places) => {
          const stream = Buffer.concat(given.map(write));
          expect(cut(frame, split(stream, places))).toEqual({
            pieces: given.map((piece) => Buffer.from(piece).toString('latin1')),
            failure: undefined,
          });
        }),
      );
    },
  );

  test('for the whole, which is always one piece', () => {
    holds(
      fc.property(payloads, fc.array(fc.nat(), { maxLength: 6 }), (stream, places) => {
        expect(cut({ kind: 'whole' }, split(stream, places)).pieces).toEqual([Buffer.from(stream).toString('latin1')]);
      }),
    );
  });
});

describe('lines', () => {
  test('are cut without their LF or CRLF, and the last one may have neither', () => {
    expect(cutText({ kind: 'lines' }, 'one\ntwo\r\nthree').pieces).toEqual(['one', 'two', 'three']);
  });

  test('may be empty', () => {
    expect(cutText({ kind: 'lines' }, '\n\r\na\n\n').pieces).toEqual(['', '', 'a', '']);
  });

  test('keep a carriage return that is no part of their end', () => {
    expect(cutText({ kind: 'lines' }, 'a\rb\r\r\nc\r').pieces).toEqual(['a\rb\r', 'c\r']);
  });

  test('lose a carriage return that came in another chunk than its newline', () => {
    expect(cutText({ kind: 'lines' }, 'a\r', '\n', 'b', '\r', '\n').pieces).toEqual(['a', 'b']);
  });

  test('are none where there is nothing', () => {
    expect(cutText({ kind: 'lines' })).toEqual({ pieces: [], failure: undefined });
  });
});

describe('NUL-terminated pieces', () => {
  test('keep newlines, and the last one may lack its NUL', () => {
    expect(cutText({ kind: 'null' }, 'a\r\n\0\0b').pieces).toEqual(['a\r\n', '', 'b']);
  });
});

test('the whole of nothing is one empty piece', () => {
  expect(cutText({ kind: 'whole' }).pieces).toEqual(['']);
});

test('chunks are of the length asked, the last one shorter, and none where there is nothing', () => {
  expect(cutText({ kind: 'chunk', bytes: 3 }, 'abcd', 'efgh').pieces).toEqual(['abc', 'def', 'gh']);
  expect(cutText({ kind: 'chunk', bytes: 3 }, 'abc').pieces).toEqual(['abc']);
  expect(cutText({ kind: 'chunk', bytes: 3 }).pieces).toEqual([]);
});

describe('length-prefixed pieces', () => {
  test('may be empty', () => {
    expect(cutText({ kind: 'length' }, '\0\0\0\0\0\0\0\x01a').pieces).toEqual(['', 'a']);
  });

  test.each([
    ['\0\0\0\x01a\0\0', 2],
    ['\0\0\0\x01a\0\0\0\x03bc', 1],
    ['\0\0\0\x01a\0\0\0\x03', 3],
  ])('that end too early are a failure that says by how much: %j', (stream, missing) => {
    expect(cutText({ kind: 'length' }, stream)).toEqual({
      pieces: ['a'],
      failure: `the input ends ${missing} bytes before it is complete`,
    });
  });

  test('with a huge prefix fail as soon as the prefix was read', () => {
    expect(cutText({ kind: 'length' }, '\0\0\0\x01a\xff\xff\xff\xff')).toEqual({
      pieces: ['a'],
      failure: 'its length prefix says 4294967295 bytes; the limit is 1048576',
    });
  });
});

describe('a piece that is too long', () => {
  const unlimited: readonly Frame[] = [
    { kind: 'lines' },
    { kind: 'null' },
    { kind: 'whole' },
    { kind: 'json' },
    { kind: 'chunk', bytes: 10 * MAX_PIECE_BYTES },
  ];
  const named = unlimited.map((frame) => ({ name: frame.kind, frame }));

  test.each(named)('is a failure in $name long before it fills the memory', ({ frame }) => {
    const cutter = createCutter(frame);
    const chunk = Buffer.alloc(64 * 1024, 'x');
    let pushed = 0;
    while (cutter.failure === undefined) {
      expect(cutter.push(chunk)).toEqual([]);
      pushed += chunk.length;
      expect(pushed).toBeLessThanOrEqual(MAX_PIECE_BYTES + chunk.length);
    }
    expect(cutter.failure).toBe(`it is longer than ${MAX_PIECE_BYTES} bytes`);
    expect(cutter.push(Buffer.from('a\n\0'))).toEqual([]);
    expect(cutter.end()).toEqual([]);
  });

  test.each(named)('is the same failure in $name when it comes in one chunk', ({ frame }) => {
    const tooLong = Buffer.concat([Buffer.alloc(MAX_PIECE_BYTES + 1, 'x'), Buffer.from('\n\0')]);
    expect(cut(frame, [tooLong])).toEqual({ pieces: [], failure: `it is longer than ${MAX_PIECE_BYTES} bytes` });
  });

  test('is one byte over the limit', () => {
    const longest = 'x'.repeat(MAX_PIECE_BYTES);
    for (const chunks of [[`${longest}\n`], [longest, '\n'], [longest.slice(1), 'x\n']]) {
      expect(cutText({ kind: 'lines' }, ...chunks)).toEqual({ pieces: [longest], failure: undefined });
    }
  });

  test('does not cost the pieces before it', () => {
    expect(cutText({ kind: 'lines' }, 'a\nb\n', 'x'.repeat(MAX_PIECE_BYTES + 1)).pieces).toEqual(['a', 'b']);
  });
});

test('a piece stays as it is when the chunk that it came in is used again', () => {
  const cutter = createCutter({ kind: 'lines' });
  const chunk = Buffer.from('abc');
  cutter.push(chunk);
  chunk.fill('x');
  expect(cutter.push(Buffer.from('d\n'))).toEqual([Buffer.from('abcd')]);
});
