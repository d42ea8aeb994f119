/** Runs: datagrams that the kernel coalesced and that are received in one piece. */
import { describe, expect, test } from '@jest/globals';
import { type DatagramSocket, type Run } from '../../src/net/index.js';
import { describeEngines } from '../support/engines.js';
import { text } from '../support/net.js';

const LOCALS = [
  [4, '127.0.0.1:0'],
  [6, '[::1]:0'],
] as const;
/** Payloads of one size; only the last is shorter. The linux engine sends them as segments of one message. */
const PAYLOADS = Array.from({ length: 20 }, (_, nth) => `${nth}`.padStart(nth === 19 ? 40 : 100, '-'));

/** Cuts a run into its payloads. */
function payloadsOf({ bytes, segmentBytes, count }: Run): string[] {
  return Array.from({ length: count }, (_, nth) => text(bytes.slice(nth * segmentBytes, (nth + 1) * segmentBytes)));
}

/** Reads runs until they hold `count` datagrams. */
async function readRuns(socket: DatagramSocket, count: number): Promise<Run[]> {
  const runs: Run[] = [];
  let read = 0;
  for await (const batch of socket.runs()) {
    runs.push(...batch);
    for (const run of batch) read += run.count;
    if (read >= count) break;
  }
  return runs;
}

/** Makes the engine deliver runs, although no reader waits: begins a read and aborts it. */
async function askForRuns(socket: DatagramSocket): Promise<void> {
  const controller = new AbortController();
  const waiting = socket.runs({ signal: controller.signal }).next();
  controller.abort(new Error('enough'));
  await expect(waiting).rejects.toThrow('enough');
}

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  describe.each(LOCALS)('runs over IPv%i', (_family, local) => {
    test('hold what was sent, in order, in one piece where the kernel coalesced it', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local);
      const reading = readRuns(server, PAYLOADS.length);
      await client.sendBatch(PAYLOADS);
      const runs = await reading;
      expect(runs.flatMap(payloadsOf)).toEqual(PAYLOADS);
      expect(new Set(runs.map(({ remote }) => remote.port))).toEqual(new Set([client.local.port]));
      expect(new Set(runs.map((run) => run.local?.port))).toEqual(new Set([server.local.port]));
      expect(runs.every(({ timeMs }) => Math.abs(timeMs - Date.now()) < 600_000)).toBe(true);
      const lengths = runs.map(({ bytes, segmentBytes, count }) => [bytes.length, segmentBytes, count]);
      expect(lengths).toEqual(
        engine === 'linux' ? [[1940, 100, 20]] : PAYLOADS.map(({ length }) => [length, length, 1]),
      );
    });

    test('come to a consumer, whose exceptions and promises reach the reader of consume', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local);
      const got: string[] = [];
      const consumed = server.consume((runs) => {
        got.push(...runs.flatMap(payloadsOf));
        void server.sendRuns(runs.map(({ bytes, segmentBytes, remote }) => ({ data: bytes, segmentBytes, remote })));
        if (got.length > PAYLOADS.length) throw new Error('enough');
        return got.length % 2 === 0 ? true : Promise.resolve(true);
      });
      const answers = readRuns(client, PAYLOADS.length);
      await client.sendBatch(PAYLOADS);
      expect((await answers).flatMap(payloadsOf)).toEqual(PAYLOADS);
      expect(got).toEqual(PAYLOADS);
      await client.send('one more');
      await expect(consumed).rejects.toThrow('enough');
      await expect(server.recvfrom({ signal: AbortSignal.abort(new Error('still open')) })).rejects.toThrow(
        'still open',
      );
    });

    test('come to a client from its peer', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local, { strays: 'report' });
      const strays = new Promise((resolve) => client.once('strays', resolve));
      await using stranger = await startUdpServer(local);
      const reading = readRuns(client, PAYLOADS.length);
      const to = (data: string) => ({ data, remote: client.local });
      await stranger.sendBatch(['a', 'b'].map(to));
      expect(await strays).toMatchObject([{ remote: stranger.local }, { remote: stranger.local }]);
      await server.sendBatch(PAYLOADS.map(to));
      const runs = await reading;
      expect(runs.flatMap(payloadsOf)).toEqual(PAYLOADS);
      expect(runs.map(({ remote }) => remote)).toEqual(runs.map(() => server.local));
    });

    test('may be of one empty datagram', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local);
      const reading = readRuns(server, 3);
      await client.sendBatch(['', 'x', '']);
      expect((await reading).map(({ bytes, segmentBytes, count }) => [text(bytes), segmentBytes, count])).toEqual([
        ['', 0, 1],
        ['x', 1, 1],
        ['', 0, 1],
      ]);
    });
  });

  describe('runs', () => {
    test('are of one datagram each where these had come before', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      await client.sendBatch(PAYLOADS);
      while (server.queued < PAYLOADS.length) await server.poll();
      const runs = await readRuns(server, PAYLOADS.length);
      expect(runs.map(({ count }) => count)).toEqual(PAYLOADS.map(() => 1));
      expect(runs.flatMap(payloadsOf)).toEqual(PAYLOADS);
    });

    test('become datagrams for who reads these', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      await askForRuns(server);
      await client.sendBatch(PAYLOADS);
      while (server.queued < PAYLOADS.length) await server.poll();
      const first = await server.recvfrom();
      const { value: others } = await server.batches().next();
      expect([first, ...others!].map(({ data }) => text(data))).toEqual(PAYLOADS);
      expect(first.remote).toEqual(client.local);
      expect(server.queued).toBe(0);
    });

    test('end when the server is closed, after all that had arrived', async () => {
      const server = await startUdpServer('127.0.0.1:0', { maxReadQueue: 3 });
      await using client = await openUdpConnection(server.local);
      await askForRuns(server);
      await client.sendBatch(PAYLOADS);
      server.close();
      await server.waitClosed();
      const read: string[] = [];
      for await (const runs of server.runs()) read.push(...runs.flatMap(payloadsOf));
      expect(read.length + server.dropped).toBe(PAYLOADS.length);
      expect(read).toEqual(PAYLOADS.slice(0, read.length));
    });

    test('make room by the datagrams in them: the newest wait in the kernel, or are dropped and counted', async () => {
      await using server = await startUdpServer('127.0.0.1:0', { maxReadQueue: 5 });
      await using client = await openUdpConnection(server.local);
      await askForRuns(server);
      await client.sendBatch(PAYLOADS);
      const dropped = engine === 'node' ? 15 : 0;
      while (server.queued < 5 || server.dropped < dropped) await server.poll();
      expect([server.queued, server.dropped]).toEqual([5, dropped]);
      const read = await readRuns(server, PAYLOADS.length - dropped);
      expect(read.flatMap(payloadsOf)).toEqual(PAYLOADS.slice(0, PAYLOADS.length - dropped));
      expect(server.dropped).toBe(dropped);
    });

    test('make room by dropping the oldest datagrams, of a run as well', async () => {
      await using server = await startUdpServer('127.0.0.1:0', { maxReadQueue: 15, overflow: 'drop-oldest' });
      await using client = await openUdpConnection(server.local);
      await askForRuns(server);
      await client.sendBatch(PAYLOADS.slice(0, 10));
      while (server.queued < 10) await server.poll();
      await client.sendBatch(PAYLOADS.slice(10));
      while (server.queued + server.dropped < PAYLOADS.length) await server.poll();
      expect([server.queued, server.dropped]).toEqual([15, 5]);
      expect((await readRuns(server, 15)).flatMap(payloadsOf)).toEqual(PAYLOADS.slice(5));
    });

    test('cannot be asked for with options that are none', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      await expect(server.runs('now' as never).next()).rejects.toMatchObject({ code: 'INVALID_OPTION' });
    });
  });
});

describeEngines(({ startUdpServer, openUdpConnection }) => {
  test.each([
    ['few', 3],
    ['more than one message can carry', 300],
  ])('a run of %s datagrams is sent in order, between other datagrams', async (_, count) => {
    await using server = await startUdpServer('127.0.0.1:0');
    await using client = await openUdpConnection(server.local);
    const payloads = Array.from({ length: count }, (__, nth) => `${nth}`.padStart(nth === count - 1 ? 5 : 10, '-'));
    const run = { data: Buffer.from(payloads.join('')), segmentBytes: 10, remote: client.local };
    const one = { data: Buffer.from('one'), remote: client.local };
    expect(await server.sendRuns([one, run, one, run])).toEqual([]);
    const received: string[] = [];
    for await (const data of client) if (received.push(text(data)) === 2 * count + 2) break;
    expect(received).toEqual(['one', ...payloads, 'one', ...payloads]);
  });

  test('each datagram of a run that the kernel refuses is named by the place of the run', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    await using client = await openUdpConnection(server.local);
    const refused = { data: new Uint8Array(30), segmentBytes: 10, remote: { address: '255.255.255.255', port: 9 } };
    const taken = { data: Buffer.from('taken'), remote: client.local };
    const failures = await server.sendRuns([taken, refused, taken]);
    expect(failures.map(({ index, error }) => [index, error.code])).toEqual(Array(3).fill([1, 'BROADCAST_FORBIDDEN']));
    expect([text(await client.recv()), text(await client.recv())]).toEqual(['taken', 'taken']);
  });

  test('a receiver takes datagrams as they come, and none while it has no room', async () => {
    let [room, taken] = [Infinity, 0];
    const receiver = {
      room: () => room,
      take: (runs: Run[]) => {
        for (const run of runs) taken += run.count;
      },
      failed: () => undefined,
    };
    await using server = await startUdpServer('127.0.0.1:0', { receiver });
    await using client = await openUdpConnection(server.local);
    const until = async (count: number): Promise<void> => {
      while (taken < count) await new Promise((resolve) => setImmediate(resolve));
    };
    await client.sendBatch(PAYLOADS);
    await until(20);
    room = 0;
    await client.send('waits');
    if (server.engine === 'linux') {
      await server.poll();
      expect(taken).toBe(20);
    }
    room = Infinity;
    server.resume();
    await until(21);
  });
});
