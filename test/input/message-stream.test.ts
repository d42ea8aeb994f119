import { describe, expect, test } from '@jest/globals';
import { MAX_PIECE_BYTES } from '../../src/input/framing.js';
import { readMessages, StreamError, type StreamFormat } from '../../src/input/message-stream.js';
import { fc, holdsAsync, payloads } from '../support/property.js';

interface Delivered {
  readonly messages: string[];
  readonly error: unknown;
}

async function* chunked(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array, undefined> {
  for (const chunk of chunks) yield typeof chunk === 'string' ? Buffer.from(chunk, 'latin1') : chunk;
}

/** Reads a stream to its end. Returns its payloads, and the error that ended it. */
async function read(format: StreamFormat, input: AsyncIterable<Uint8Array>, limitBytes = 65_507): Promise<Delivered> {
  const messages: string[] = [];
  try {
    for await (const batch of readMessages(input, format, limitBytes)) {
      expect(batch.length).toBeGreaterThan(0);
      messages.push(...batch.map((message) => Buffer.from(message).toString('latin1')));
    }
  } catch (error) {
    return { messages, error };
  }
  return { messages, error: undefined };
}

const lines: StreamFormat = { frame: { kind: 'lines' }, encoding: 'utf8' };

test('messages come in arrays of those that one chunk completes', async () => {
  const batches: string[][] = [];
  for await (const batch of readMessages(chunked('a\nb\nc', 'd\n', 'e'), lines, 10)) batches.push(batch.map(String));
  expect(batches).toEqual([['a', 'b'], ['cd'], ['e']]);
});

test('messages are delivered before the rest of the stream has come', async () => {
  let asked = 0;
  async function* endless(): AsyncGenerator<Uint8Array, undefined> {
    for (;;) {
      asked += 1;
      yield Buffer.from('a\n');
    }
  }
  for await (const batch of readMessages(endless(), lines, 10)) {
    expect(batch.map(String)).toEqual(['a']);
    break;
  }
  expect(asked).toBe(1);
});

test('each piece is decoded after it was cut', async () => {
  const format: StreamFormat = { frame: { kind: 'lines' }, encoding: 'escaped' };
  expect(await read(format, chunked('a\\nb\n\\x00'))).toEqual({ messages: ['a\nb', '\0'], error: undefined });
});

describe('a piece that cannot be sent', () => {
  const cases: readonly { name: string; format: StreamFormat; stream: string; error: string }[] = [
    {
      name: 'a line that is over the limit',
      format: lines,
      stream: 'one\n\nx12345678\nafter\n',
      error: 'line 3 cannot be sent: it has 9 bytes, and the limit is 8',
    },
    {
      name: 'a line that cannot be decoded',
      format: { frame: { kind: 'lines' }, encoding: 'hex' },
      stream: '6f6e65\n\n6\n61\n',
      error: 'line 3 cannot be sent: hex digits come in pairs, for example 0a ff',
    },
    {
      name: 'a NUL-terminated piece over the limit',
      format: { frame: { kind: 'null' }, encoding: 'utf8' },
      stream: 'one\0\0x12345678\0after\0',
      error: 'piece 3 cannot be sent: it has 9 bytes, and the limit is 8',
    },
    {
      name: 'a length-prefixed piece that is cut short',
      format: { frame: { kind: 'length' }, encoding: 'utf8' },
      stream: '\0\0\0\x03one\0\0\0\0\0\0\0\x08x',
      error: 'piece 3 cannot be sent: the input ends 7 bytes before it is complete',
    },
    {
      name: 'a huge length prefix',
      format: { frame: { kind: 'length' }, encoding: 'utf8' },
      stream: '\0\0\0\x03one\0\0\0\0\x7f\0\0\0after',
      error: 'piece 3 cannot be sent: its length prefix says 2130706432 bytes; the limit is 1048576',
    },
    {
      name: 'a JSON line that is none, counted with the lines that are skipped',
      format: { frame: { kind: 'json' }, encoding: 'utf8' },
      stream:
        '{"v":1,"type":"datagram","data":"one"}\n\n{"v":1,"type":"datagram","data":""}\n{"v":1,"type":"listening"}\n{\n',
      error: 'line 5 cannot be sent: it is not valid JSON',
    },
    {
      name: 'a chunk over the limit',
      format: { frame: { kind: 'chunk', bytes: 9 }, encoding: 'utf8' },
      stream: 'x12345678after',
      error: 'piece 1 cannot be sent: it has 9 bytes, and the limit is 8',
    },
  ];

  test.each(cases)('$name: what came before it is delivered, nothing after it', async ({ format, stream, error }) => {
    const before = format.frame.kind === 'chunk' ? [] : ['one', ''];
    const whole = await read(format, chunked(stream), 8);
    expect(whole.messages).toEqual(before);
    expect(whole.error).toBeInstanceOf(StreamError);
    expect((whole.error as Error).message).toBe(error);
    const bytes = Array.from(stream, (_, index) => stream.slice(index, index + 1));
    expect(await read(format, chunked(...bytes), 8)).toEqual(whole);
  });

  test('that has no end is one too long, with its number', async () => {
    async function* endless(): AsyncGenerator<Uint8Array, undefined> {
      yield Buffer.from('one\n');
      for (let bytes = 0; bytes <= 2 * MAX_PIECE_BYTES; bytes += 65_536) yield Buffer.alloc(65_536, 'x');
    }
    const { messages, error } = await read(lines, endless());
    expect(messages).toEqual(['one']);
    expect((error as Error).message).toBe('line 2 cannot be sent: it is longer than 1048576 bytes');
  });

  test('lets go of the input', async () => {
    let released = false;
    async function* input(): AsyncGenerator<Uint8Array, undefined> {
      try {
        yield Buffer.from('too long\n');
        yield Buffer.from('never asked for\n');
      } finally {
        released = true;
      }
    }
    expect((await read(lines, input(), 1)).error).toBeInstanceOf(StreamError);
    expect(released).toBe(true);
  });
});

test('a failure to read the input is not dressed up as one of its pieces', async () => {
  const failure = new Error('EIO');
  async function* input(): AsyncGenerator<Uint8Array, undefined> {
    yield Buffer.from('one\ntw');
    throw failure;
  }
  expect(await read(lines, input())).toEqual({ messages: ['one'], error: failure });
});

test('the whole of nothing is one empty datagram', async () => {
  expect(await read({ frame: { kind: 'whole' }, encoding: 'utf8' }, chunked())).toEqual({
    messages: [''],
    error: undefined,
  });
});

test('hex lines give back any payloads', async () => {
  await holdsAsync(
    fc.asyncProperty(fc.array(payloads), async (given) => {
      const stream = given.map((payload) => `${Buffer.from(payload).toString('hex')}\n`).join('');
      expect(await read({ frame: { kind: 'lines' }, encoding: 'hex' }, chunked(stream))).toEqual({
        messages: given.map((payload) => Buffer.from(payload).toString('latin1')),
        error: undefined,
      });
    }),
  );
});
