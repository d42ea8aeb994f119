import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, createReadStream, createWriteStream, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import type { Datagram, Run } from '../../src/net/index.js';
import { DatagramWriter } from '../../src/output/datagram-writer.js';
import { FileStream } from '../../src/output/file-stream.js';
import { createFormat, type FormatName } from '../../src/output/formats/table.js';
import { createPalette } from '../../src/output/palette.js';

const palette = await createPalette(false);
const endpoint = { address: '127.0.0.1', port: 8000 };

function batchOf(payloads: readonly (string | Uint8Array)[]): Datagram[] {
  return payloads.map((data) => ({
    data: typeof data === 'string' ? Buffer.from(data) : data,
    remote: endpoint,
    local: endpoint,
    timeMs: 0,
  }));
}

/** Makes a batch of datagrams of 1000 bytes, all of one letter. */
const kilobytes = (count: number, letter = 'x'): Datagram[] =>
  batchOf(Array.from({ length: count }, () => letter.repeat(1000)));

/** Makes a writer on a stream. `ends()` returns how often it called `onEnd`. */
function writerOn(
  stream: Writable,
  { format = 'raw', events = false }: { format?: FormatName; events?: boolean } = {},
): { writer: DatagramWriter; ends: () => number } {
  let ends = 0;
  const writer = new DatagramWriter(stream, { events, onEnd: () => (ends += 1) });
  writer.format = createFormat(format, { meta: false, terminal: false, palette, bound: endpoint });
  return { writer, ends: () => ends };
}

/** Makes two connected sockets. `reader` reads nothing until the test lets it. */
async function socketPair(): Promise<{ stream: Socket; reader: Socket } & AsyncDisposable> {
  const server = createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stream = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [reader] = (await once(server, 'connection')) as [Socket];
  reader.on('error', () => undefined);
  return {
    stream,
    reader,
    [Symbol.asyncDispose]: async () => {
      stream.destroy();
      reader.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Waits until nothing more happens, as long as the reader does not read. */
async function turns(): Promise<void> {
  for (let count = 0; count < 50; count += 1) await turn();
}

const LARGEST_CHUNK_BYTES = 64 * 1024 + 65_527;

describe('a writer to a reader that is slow', () => {
  test('waits for it, holds no more than a chunk, and loses nothing', async () => {
    await using pair = await socketPair();
    const { writer } = writerOn(pair.stream);
    let written = 0;
    const writing = (async () => {
      for (let count = 0; count < 200; count += 1) {
        await writer.write(kilobytes(100, 'abc'[count % 3]));
        written += 1;
      }
    })();
    let settled = -1;
    // The kernel's buffers take the first batches. Then the writer waits for the reader.
    while (settled < written) {
      settled = written;
      await turns();
      expect(pair.stream.writableLength).toBeLessThanOrEqual(LARGEST_CHUNK_BYTES);
    }
    expect(written).toBeLessThan(200);

    const reading = buffer(pair.reader);
    await writing;
    pair.stream.end();
    const expected = Array.from({ length: 200 }, (_, index) => 'abc'[index % 3]!.repeat(100_000)).join('');
    expect((await reading).toString() === expected).toBe(true);
    expect(writer.dropped).toBe(0);
    expect(writer.failure).toBeUndefined();
  });

  test('gives up when it is told to: what the stream has not taken and what follows is lost, and the wait is over', async () => {
    await using pair = await socketPair();
    const { writer, ends } = writerOn(pair.stream);
    let confirmed = 0;
    let given = 0;
    const writing = (async () => {
      for (let count = 0; count < 200; count += 1) {
        given += 60;
        const droppedBefore = writer.dropped;
        await writer.write(kilobytes(60, 'a'));
        if (writer.dropped === droppedBefore) confirmed += 60;
      }
    })();
    for (let settled = -1; settled < confirmed;) {
      settled = confirmed;
      await turns();
    }
    expect(confirmed).toBeLessThan(given);
    writer.abandon();
    await writing;
    const { dropped } = writer;
    expect(dropped).toBeLessThanOrEqual(200 * 60 - confirmed);
    expect(ends()).toBe(0);
    expect(writer.failure).toBeUndefined();
    const reading = buffer(pair.reader);
    pair.stream.destroy();
    // A datagram that the system took only in part is lost.
    expect(Math.floor((await reading).length / 1000) + dropped).toBe(200 * 60);
  });

  test('leaves the bytes alone that the stream still holds when it gave up', async () => {
    await using pair = await socketPair();
    const { writer } = writerOn(pair.stream);
    let writing: Promise<void> = Promise.resolve();
    for (let waiting = false; !waiting;) {
      let done = false;
      writing = writer.write(kilobytes(60, 'a')).then(() => {
        done = true;
      });
      await turns();
      waiting = !done;
    }
    writer.abandon();
    await writing;
    await writer.write(kilobytes(60, 'b'));
    const reading = buffer(pair.reader);
    pair.stream.end();
    expect((await reading).toString()).toMatch(/^a+$/);
  });
});

describe('a writer to a reader that goes away', () => {
  test('ends normally on a closed pipe, tells it once, and counts what was not confirmed', async () => {
    const child = spawn('head', ['-c', '10'], { stdio: ['pipe', 'pipe', 'inherit'] });
    const taken = buffer(child.stdout);
    const { writer, ends } = writerOn(child.stdin);
    let given = 0;
    while (ends() === 0) {
      await writer.write(kilobytes(100));
      given += 100;
      await turn();
    }
    expect((await taken).toString()).toBe('x'.repeat(10));
    expect(writer.dropped).toBeGreaterThan(0);
    expect(writer.dropped).toBeLessThanOrEqual(given);
    const before = writer.dropped;
    await writer.write(kilobytes(7));
    expect(writer.dropped).toBe(before + 7);
    expect(ends()).toBe(1);
    expect(writer.failure).toBeUndefined();
  });

  test('ends normally on a connection that was reset', async () => {
    await using pair = await socketPair();
    const { writer, ends } = writerOn(pair.stream);
    await writer.write(kilobytes(1));
    pair.reader.resetAndDestroy();
    while (ends() === 0) {
      await writer.write(kilobytes(10));
      await turn();
    }
    expect(writer.failure).toBeUndefined();
    expect(writer.dropped).toBeGreaterThan(0);
  });

  test('ends normally on a stream that was destroyed before', async () => {
    await using pair = await socketPair();
    pair.stream.destroy();
    const { writer, ends } = writerOn(pair.stream);
    await writer.write(kilobytes(3));
    expect([writer.dropped, ends(), writer.failure]).toEqual([3, 1, undefined]);
  });
});

test('a full disk is a failure that is kept, told once, and every datagram is counted', async () => {
  const stream = createWriteStream('/dev/full');
  const { writer, ends } = writerOn(stream);
  await writer.write(kilobytes(5));
  await writer.write(kilobytes(2));
  expect(writer.failure).toMatchObject({ code: 'ENOSPC' });
  expect([writer.dropped, ends()]).toEqual([7, 1]);
});

test('of a batch of several chunks, exactly those count as lost that the stream did not confirm', async () => {
  const taken: number[] = [];
  const stream = new Writable({
    write: (chunk: Buffer, _encoding, done) => {
      if (taken.length === 2) done(Object.assign(new Error('no space'), { code: 'ENOSPC' }));
      else {
        taken.push(chunk.length);
        done();
      }
    },
  });
  const { writer, ends } = writerOn(stream);
  await writer.write(kilobytes(200));
  expect(taken).toEqual([66_000, 66_000]);
  expect([writer.dropped, ends()]).toEqual([200 - 132, 1]);
});

test('of runs, exactly the datagrams count as lost that the stream did not confirm', async () => {
  let chunks = 0;
  const stream = new Writable({
    write: (_chunk, _encoding, done) => {
      chunks += 1;
      done(chunks === 3 ? Object.assign(new Error('no space'), { code: 'ENOSPC' }) : null);
    },
  });
  const { writer } = writerOn(stream);
  const runOf = (count: number): Run => {
    const bytes = Buffer.alloc(count * 1000 - 1, 'x');
    return { bytes, segmentBytes: 1000, count, remote: endpoint, local: endpoint, timeMs: 0 };
  };
  // Two runs fill a chunk. The third chunk is the last run and the datagram.
  await writer.write([runOf(50), runOf(50), runOf(50), runOf(50), runOf(30), ...batchOf(['a'])]);
  expect([chunks, writer.dropped]).toEqual([3, 31]);
});

test('batches reach a file in order, whatever their size', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'udpcat-writer-'));
  try {
    const path = join(folder, 'out');
    const stream = createWriteStream(path);
    const { writer } = writerOn(stream, { format: 'hex' });
    await writer.write([]);
    await writer.write(batchOf(['a', '', 'b']));
    await writer.write(batchOf([Buffer.alloc(65_507, 'c'), 'd', Buffer.alloc(65_507, 'e')]));
    stream.end();
    await once(stream, 'finish');
    const expected = `61\n\n62\n${'63'.repeat(65_507)}\n64\n${'65'.repeat(65_507)}\n`;
    expect((await readFile(path, 'latin1')) === expected).toBe(true);
    expect(writer.dropped).toBe(0);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('a datagram that is nothing as raw bytes has been written all the same', async () => {
  const stream = createWriteStream('/dev/full');
  const { writer, ends } = writerOn(stream);
  await writer.write(batchOf(['', '']));
  expect([writer.dropped, ends()]).toEqual([0, 0]);
  stream.destroy();
});

test('without a format nothing is written, and nothing is lost, even on a stream that takes nothing', async () => {
  const stream = createWriteStream('/dev/full');
  const { writer } = writerOn(stream, { format: 'none' });
  await writer.write(kilobytes(3));
  expect([writer.dropped, stream.bytesWritten]).toEqual([0, 0]);
  stream.destroy();
});

describe('events', () => {
  const listening = { type: 'listening', address: '127.0.0.1:8000' } as const;
  const summary = {
    type: 'summary',
    sent: 0,
    received: 1,
    dropped: { kernel: null, queue: 0, output: 0 },
    durationMs: 1,
  } as const;

  test('stand among the datagrams in the order in which they were given', async () => {
    await using pair = await socketPair();
    const { writer } = writerOn(pair.stream, { format: 'json', events: true });
    writer.event(listening);
    const writing = writer.write(batchOf(['a', 'b']));
    writer.event({ type: 'drop', where: 'queue', count: 1 });
    await writing;
    writer.event(summary);
    pair.stream.end();
    const lines = (await buffer(pair.reader)).toString().trimEnd().split('\n');
    expect(lines.map((line) => (JSON.parse(line) as { type: string }).type)).toEqual([
      'listening',
      'datagram',
      'datagram',
      'drop',
      'summary',
    ]);
  });

  test('are not written unless they are wanted', async () => {
    await using pair = await socketPair();
    const { writer } = writerOn(pair.stream, { format: 'raw' });
    writer.event(listening);
    await writer.write(batchOf(['a']));
    pair.stream.end();
    expect((await buffer(pair.reader)).toString()).toBe('a');
  });

  test('that recur do not fill the memory while nobody reads, and the summary is written still', async () => {
    await using pair = await socketPair();
    const { writer } = writerOn(pair.stream, { format: 'json', events: true });
    const message = 'x'.repeat(10_000);
    for (let count = 0; count < 1000; count += 1) writer.event({ type: 'error', code: 'REFUSED', message });
    expect(pair.stream.writableLength).toBeLessThan(1_100_000);
    writer.event(summary);
    pair.stream.end();
    const lines = (await buffer(pair.reader)).toString().trimEnd().split('\n');
    expect(lines.length).toBeGreaterThan(50);
    expect(JSON.parse(lines.at(-1)!)).toMatchObject({ type: 'summary', received: 1 });
  });

  test('are no more once the reader is gone', async () => {
    const stream = createWriteStream('', { fd: openSync('/dev/full', 'w') });
    const { writer, ends } = writerOn(stream, { format: 'json', events: true });
    await writer.write(batchOf(['a']));
    writer.event(summary);
    expect([ends(), writer.dropped]).toEqual([1, 1]);
    await turns();
    expect(ends()).toBe(1);
  });
});

describe('a writer to a file', () => {
  /** A file with room for so many bytes. */
  class SmallFile extends FileStream {
    #room: number;

    constructor(fd: number, room: number) {
      super(fd);
      this.#room = room;
    }

    override _write(chunk: Uint8Array, encoding: BufferEncoding, done: (error?: Error) => void): void {
      const fitting = Math.min(chunk.length, this.#room);
      this.#room -= fitting;
      super._write(chunk.subarray(0, fitting), encoding, (error) => {
        done(error ?? (fitting < chunk.length ? Object.assign(new Error('no space'), { code: 'ENOSPC' }) : undefined));
      });
    }
  }

  /** Makes a run of 16 datagrams of 1000 bytes, all of one letter. */
  const runOf = (letter: string): Run => {
    const bytes = Buffer.alloc(16_000, letter);
    return { bytes, segmentBytes: 1000, count: 16, remote: endpoint, local: endpoint, timeMs: 0 };
  };

  test('writes runs before it returns, so that their memory can be used again', async () => {
    await using file = await openFile();
    const { writer } = writerOn(new FileStream(file.fd));
    const runs = Array.from('abcdefghij', runOf);
    writer.writeNow(runs);
    for (const { bytes } of runs) bytes.fill(0);
    const expected = Array.from('abcdefghij', (letter) => letter.repeat(16_000)).join('');
    expect((await readFile(file.path, 'latin1')) === expected).toBe(true);
    expect([writer.dropped, writer.writesNow]).toEqual([0, true]);
  });

  test('counts exactly the datagrams of runs that a full disk did not take', async () => {
    await using file = await openFile();
    const { writer, ends } = writerOn(new SmallFile(file.fd, 100_500));
    writer.writeNow(Array.from('abcdefghij', runOf));
    expect([writer.dropped, writer.writesNow]).toEqual([60, false]);
    writer.writeNow([runOf('k')]);
    await turn();
    expect([writer.dropped, ends()]).toEqual([76, 1]);
    expect(writer.failure).toMatchObject({ code: 'ENOSPC' });
  });
});

/** Opens an empty file. */
async function openFile() {
  const folder = await mkdtemp(join(tmpdir(), 'udpcat-writer-'));
  const path = join(folder, 'out');
  const fd = openSync(path, 'w');
  return {
    path,
    fd,
    [Symbol.asyncDispose]: async () => {
      closeSync(fd);
      await rm(folder, { recursive: true });
    },
  };
}

test('/dev/full is what these tests take it for', async () => {
  const [chunk] = (await once(createReadStream('/dev/full', { end: 0 }), 'data')) as [Buffer];
  expect(chunk).toEqual(Buffer.of(0));
});
