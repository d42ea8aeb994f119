/** Tests of the linux engine alone, on the loopback. test/net/router.test.ts has those in networks of their own. */
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from '@jest/globals';
import {
  type Datagram,
  type DatagramServer,
  formatEndpoint,
  MAX_PAYLOAD_BYTES,
  type Run,
  type SendFailure,
} from '../../../src/net/index.js';
import { wallClockMs } from '../../../src/net/clock.js';
import { openFineTimer } from '../../../src/net/fine-timer.js';
import { AddressWriter, EndpointReader } from '../../../src/net/engines/linux/addresses.js';
import { Memory } from '../../../src/net/engines/linux/memory.js';
import { loadSystemCalls } from '../../../src/net/engines/linux/system-calls.js';
import { Transmission } from '../../../src/net/engines/linux/transmission.js';
import { describeLinuxEngine } from '../../support/engines.js';
import { runModule } from '../../support/module.js';
import { datagramError, text } from '../../support/net.js';
import { closedPort, echoServer, type Family, silentServer } from '../../support/sockets.js';
import { fc, holds, holdsAsync } from '../../support/property.js';

const FAMILIES: readonly { family: Family; host: string; local: string }[] = [
  { family: 4, host: '127.0.0.1', local: '127.0.0.1:0' },
  { family: 6, host: '::1', local: '[::1]:0' },
];

/** Returns the descriptors of this process, each with the target of its link in /proc/self/fd. */
function descriptors(): readonly { readonly fd: string; readonly what: string }[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [{ fd, what: readlinkSync(`/proc/self/fd/${fd}`) }];
    } catch {
      // The descriptor of the folder itself is closed by now.
      return [];
    }
  });
}

const sockets = (): number => descriptors().filter(({ what }) => what.startsWith('socket:')).length;

async function read(server: DatagramServer, count: number): Promise<Datagram[]> {
  const all: Datagram[] = [];
  while (all.length < count) {
    const { value } = await server.batches().next();
    if (value === undefined) throw new Error(`ended after ${all.length} of ${count} datagrams`);
    all.push(...value);
  }
  return all;
}

/** Random sizes of payloads: runs of one size, of which segments are made, and single ones, empty and large too. */
const sizes = fc
  .array(
    fc.tuple(
      fc.oneof(
        { weight: 6, arbitrary: fc.integer({ min: 0, max: 200 }) },
        { weight: 3, arbitrary: fc.integer({ min: 1000, max: 9000 }) },
        { weight: 1, arbitrary: fc.integer({ min: 60_000, max: MAX_PAYLOAD_BYTES[4] }) },
      ),
      fc.integer({ min: 1, max: 150 }),
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((runs) =>
    runs.flatMap(([size, length]) => Array<number>(size > 9000 ? 1 : size > 200 ? 20 : length).fill(size)),
  );

describeLinuxEngine('the linux engine', ({ startUdpServer, openUdpConnection }) => {
  describe.each(FAMILIES)('on IPv$family', ({ family, host, local }) => {
    test('brings any sequence of datagrams to its receiver as it was, segmented, coalesced and split again', async () => {
      await using server = await startUdpServer(local, { maxReadQueue: 100_000 });
      await using client = await openUdpConnection(server.local);
      await using other = await startUdpServer(local);
      const arrives = fc.asyncProperty(sizes, async (sequence) => {
        const payloads = sequence.map((size, nth) => Buffer.alloc(size, nth));
        const receiving = read(server, 2 * payloads.length);
        expect(await client.sendBatch(payloads)).toEqual([]);
        expect(await other.sendBatch(payloads.map((data) => ({ data, remote: server.local })))).toEqual([]);
        const received = await receiving;
        for (const sender of [client.local, other.local]) {
          const own = received.filter(({ remote }) => remote.port === sender.port);
          expect(own.map(({ data }) => data.length)).toEqual(sequence);
          expect(own.every(({ data }, nth) => payloads[nth]!.equals(data))).toBe(true);
          expect(own.every((datagram) => datagram.remote.address === host)).toBe(true);
        }
      });
      await holdsAsync(arrives, { runs: 100 });
    });

    test('tells when a datagram was received by the clock that is read here, in between what that says before and after', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local);
      const wrong: string[] = [];
      for (let nth = 0; nth < 5000; nth += 1) {
        const beforeMs = wallClockMs();
        await client.send('when?');
        const { timeMs } = await server.recvfrom();
        const afterMs = wallClockMs();
        if (timeMs <= beforeMs || timeMs >= afterMs) wrong.push(`${timeMs} is not from ${beforeMs} to ${afterMs}`);
      }
      expect(wrong).toEqual([]);
    });

    test('sends borrowed runs whole, also those that wait while the next ones come', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local, { maxReadQueue: 10_000 });
      // A round makes 64 sends of other payloads. All later ones wait. Growing payloads are messages of their own.
      const others = Array.from({ length: 70 }, (_, nth) => 'x'.repeat(nth + 3));
      const sent = ['a', 'b'].map((letter) => [`${letter}0`, `${letter}1`, `${letter}2`, letter]);
      const consumed = server.consume(
        (runs) => {
          const answers = runs.map(({ bytes: data, segmentBytes, remote }) => ({ data, segmentBytes, remote }));
          const [{ remote }] = runs as [Run];
          void server.sendRuns(others.map((data) => ({ data: Buffer.from(data), segmentBytes: data.length, remote })));
          void server.sendRuns(answers);
          return true;
        },
        { borrows: true },
      );
      for (const batch of sent) await client.sendBatch(batch);
      const got: string[] = [];
      for await (const batch of client.batches()) {
        got.push(...batch.map(({ data }) => text(data)));
        if (got.length === 2 * (others.length + 4)) break;
      }
      expect(got.filter((each) => !each.startsWith('x'))).toEqual(sent.flat());
      expect(got.filter((each) => each.startsWith('x'))).toEqual([...others, ...others]);
      server.close();
      await consumed;
    });

    test('keeps the other borrowed runs while an error of an earlier datagram is read', async () => {
      const { address, port } = { address: host, port: await closedPort(family) };
      await using target = await startUdpServer(local);
      await using sender = await startUdpServer(local);
      const taken: string[] = [];
      const server = await startUdpServer(local, {
        receiver: {
          room: () => 1000,
          borrows: () => true,
          take: (runs) => {
            taken.push(...runs.map(({ bytes }) => text(bytes)));
            // The loopback brings the refusal during the call.
            void sender.sendRuns([{ data: Buffer.from('refused'), segmentBytes: 7, remote: { address, port } }]);
            for (const { bytes: data, segmentBytes } of runs.toReversed()) {
              void sender.sendRuns([{ data, segmentBytes, remote: target.local }]);
            }
          },
          failed: () => undefined,
        },
      });
      const clients = await Promise.all([0, 1].map(() => openUdpConnection(server.local)));
      // The engine learns to ask for more than one datagram at a time.
      for (let nth = 0; nth < 20; nth += 1) {
        await Promise.all(clients.map((client, of) => client.sendBatch([`${of} ${nth} one`, `${of} ${nth} two`])));
      }
      const arrived = (await read(target, 80)).map(({ data }) => text(data));
      for (const client of clients) await client[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      expect(arrived.toSorted().join('')).toHaveLength(taken.join('').length);
      expect(arrived.filter((each) => !/^\d \d+ (one|two)$/.test(each))).toEqual([]);
      expect(new Set(arrived).size).toBe(80);
    });

    test('joins runs of one size to one peer, until one ends with a shorter datagram', async () => {
      const calls = await loadSystemCalls();
      const transmission = new Transmission(calls, new Memory(0, calls.addressOf));
      const route = {
        family,
        connected: false,
        remote: undefined,
        segmentLimit: 9000,
        singlyUntil: 0,
        timed: false,
        unnamed: new Set<string>(),
        broadcasts: undefined,
      };
      const run = (bytes: number, segmentBytes: number, port = 9) => ({
        data: Buffer.alloc(bytes),
        segmentBytes,
        remote: { address: host, port },
      });
      const endsOf = (batch: ReturnType<typeof run>[]): number[] =>
        Array.from({ length: transmission.lay(batch, 0, route) }, (_, nth) => transmission.endOf(nth));
      expect(endsOf([run(8, 2), run(8, 2), run(7, 2), run(8, 2), run(8, 4), run(8, 4, 10)])).toEqual([3, 4, 5, 6]);
      expect(endsOf([run(8, 2), run(2, 2), run(8, 2)])).toEqual([1, 2, 3]);
      // 128 segments, 65507 bytes, 64 runs at a time.
      expect(endsOf(Array.from({ length: 40 }, () => run(8, 2)))).toEqual([32, 40]);
      expect(endsOf([run(44_800, 1400), run(19_600, 1400), run(2800, 1400)])).toEqual([2, 3]);
      expect(endsOf(Array.from({ length: 70 }, () => run(4, 2)))).toEqual([64]);
      expect(transmission.limitSegments(128)).toBe(true);
      expect(endsOf(Array.from({ length: 40 }, () => run(8, 2)))).toEqual([16, 32, 40]);
    });

    test('has at most 64 segments in a message once the kernel refused more', async () => {
      const calls = await loadSystemCalls();
      const transmission = new Transmission(calls, new Memory(0, calls.addressOf));
      const batch = Array.from({ length: 200 }, () => ({ data: Buffer.from('x') }));
      const route = {
        family,
        connected: true,
        remote: undefined,
        segmentLimit: 1000,
        singlyUntil: 0,
        timed: false,
        unnamed: new Set<string>(),
        broadcasts: undefined,
      };
      const ends = (): number[] =>
        Array.from({ length: transmission.lay(batch, 0, route) }, (_, nth) => transmission.endOf(nth));
      expect(ends()).toEqual([128, 200]);
      expect(transmission.limitSegments(72)).toBe(true);
      expect(ends()).toEqual([64, 128, 192, 200]);
      expect(transmission.limitSegments(64)).toBe(false);
    });

    test('sends one payload over and over, to several peers in turn and from one batch, each time whole', async () => {
      await using server = await startUdpServer(local);
      const peers = await Promise.all([0, 1, 2].map(() => startUdpServer(local, { maxReadQueue: 10_000 })));
      const data = Buffer.from('the same payload');
      const turns = [0, 0, 0, 1, 1, 2, 0, 2, 2, 2, 2, 1, 0];
      const batch = turns.flatMap((nth) => Array.from({ length: 100 }, () => ({ data, remote: peers[nth]!.local })));
      expect(await server.sendBatch(batch)).toEqual([]);
      for (const [nth, peer] of peers.entries()) {
        const count = 100 * turns.filter((turn) => turn === nth).length;
        const received = await read(peer, count);
        expect(received).toHaveLength(count);
        expect(received.every((datagram) => data.equals(datagram.data))).toBe(true);
        await peer[Symbol.asyncDispose]();
      }
    });

    test('waits where the send buffer is full, loses nothing and keeps the order', async () => {
      await using server = await startUdpServer(local, { maxReadQueue: 100_000 });
      await using client = await openUdpConnection(server.local, { sendBufferBytes: 5000 });
      const payloads = Array.from({ length: 3000 }, (_, nth) => Buffer.alloc(1 + (nth % 3000), nth));
      const receiving = read(server, payloads.length);
      const failures: SendFailure[] = [];
      for (let from = 0; from < payloads.length; from += 100) {
        failures.push(...(await client.sendBatch(payloads.slice(from, from + 100))));
        while (server.queued > 1000) await server.poll();
      }
      expect(failures).toEqual([]);
      expect((await receiving).every(({ data }, nth) => payloads[nth]!.equals(data))).toBe(true);
    });

    test('sends what an event listener sends while a batch is under way, after the batch', async () => {
      await using peer = await silentServer(family);
      await using server = await startUdpServer(local);
      const remote = { address: host, port: peer.port };
      let answered: Promise<void> | undefined;
      server.on('peerError', () => {
        answered ??= server.sendto('from the listener', remote);
      });
      const gone = { address: host, port: await closedPort(family) };
      const batch = Array.from({ length: 100 }, (_, nth) => ({
        data: Buffer.from(String(nth)),
        remote: nth % 2 === 0 ? gone : remote,
      }));
      expect(await server.sendBatch(batch)).toEqual([]);
      while (answered === undefined) await server.poll();
      await answered;
      const received = (await peer.collect(51)).map(({ data }) => data.toString());
      expect(received).toEqual([
        ...batch.filter((_, nth) => nth % 2 === 1).map(({ data }) => data.toString()),
        'from the listener',
      ]);
    });

    test('tells when the kernel received a datagram, rather than when it was read', async () => {
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      let beforeMs: number, sentMs: number, timeMs: number;
      let attempts = 0;
      // The kernel stamps datagrams only a moment after the first socket has asked for it (net_enable_timestamp).
      do {
        attempts += 1;
        beforeMs = wallClockMs();
        await peer.send('early', formatEndpoint(server.local));
        sentMs = wallClockMs();
        ({ timeMs } = await server.recvfrom());
      } while (timeMs >= sentMs && attempts < 10_000);
      expect(timeMs).toBeGreaterThan(beforeMs);
      expect(timeMs).toBeLessThan(sentMs);
    });

    test('counts what the kernel dropped, exactly if asked to', async () => {
      await using server = await startUdpServer(local, { recvBufferBytes: 5000, exactDrops: true, maxReadQueue: 1 });
      await using client = await openUdpConnection(server.local);
      await client.sendBatch(Array.from({ length: 1000 }, (_, nth) => Buffer.alloc(nth % 50)));
      server.close();
      await server.waitClosed();
      let received = 0;
      for await (const batch of server.batches()) received += batch.length;
      expect(received).toBeLessThan(1000);
      expect(server.kernelDropped).toBe(1000 - received);
    });

    test('says that it counts the least the kernel can have dropped, once it dropped any, unless exactly', async () => {
      for (const exactDrops of [false, true]) {
        await using server = await startUdpServer(local, { recvBufferBytes: 5000, exactDrops, maxReadQueue: 1 });
        expect([server.kernelDropped, server.kernelDropsAreLowerBound]).toEqual([0, false]);
        await using client = await openUdpConnection(server.local);
        await client.sendBatch(Array.from({ length: 1000 }, () => Buffer.alloc(50)));
        server.close();
        await server.waitClosed();
        let received = 0;
        for await (const batch of server.batches()) received += batch.length;
        expect(server.kernelDropped).toBeGreaterThan(0);
        expect(server.kernelDropsAreLowerBound).toBe(!exactDrops);
        if (exactDrops) expect(server.kernelDropped).toBe(1000 - received);
        else expect(server.kernelDropped).toBeLessThan(1000 - received);
      }
    });

    test('binds one address twice where both ask for it, and only there', async () => {
      await using first = await startUdpServer(local, { reusePort: true });
      await using second = await startUdpServer(first.local, { reusePort: true });
      expect(second.local).toEqual(first.local);
      expect((await datagramError(startUdpServer(first.local))).cause).toMatchObject({ code: 'EADDRINUSE' });
    });

    test('binds to one interface', async () => {
      await using server = await startUdpServer(local, { bindDevice: 'lo' });
      await using peer = await silentServer(family);
      await peer.send('through lo', formatEndpoint(server.local));
      expect(text((await server.recvfrom()).data)).toBe('through lo');
    });
  });

  test('sends runs from a socket of both families, each from the address that was asked', async () => {
    await using server = await startUdpServer('*:0');
    for (const { host } of FAMILIES) {
      await using client = await openUdpConnection({ address: host, port: server.local.port });
      await client.send('question');
      const { remote, local } = await server.recvfrom();
      expect(local).toEqual({ address: host, port: server.local.port });
      const payloads = Array.from({ length: 200 }, (_, nth) => Buffer.alloc(nth < 150 ? 32 : 33, nth));
      expect(await server.sendBatch(payloads.map((data) => ({ data, remote, local })))).toEqual([]);
      for (const data of payloads) expect(data.equals(await client.recv())).toBe(true);
    }
  });

  test.each([1, 3, 5])(
    'gives a reader that waits all of a coalesced message, by a queue of %i',
    async (maxReadQueue) => {
      await using server = await startUdpServer('127.0.0.1:0', { maxReadQueue });
      await using client = await openUdpConnection(server.local);
      const payloads = Array.from({ length: 64 }, (_, nth) => Buffer.alloc(100, nth));
      for (const rounds of [1, 2]) {
        await client.sendBatch(payloads);
        await client.sendBatch(payloads);
        const read: number[] = [];
        for await (const batch of server.batches()) {
          read.push(...batch.map(({ data }) => data[0] as number));
          if (read.length === 2 * payloads.length) break;
        }
        expect([rounds, read]).toEqual([rounds, [...payloads, ...payloads].map(([first]) => first)]);
      }
      expect(server.dropped).toBe(0);
    },
  );

  test('writes every address as the kernel has it, and reads it again, one address as one object', async () => {
    const calls = await loadSystemCalls();
    const reader = new EndpointReader(calls);
    const writer = new AddressWriter(calls);
    const memory = new Memory(64, calls.addressOf);
    const again = (address: string, port: number, socketFamily: Family) => {
      writer.writeName(memory, 0, { address, port }, socketFamily);
      return reader.readName(memory.view, 0);
    };
    const ipv4 = fc.ipV4();
    const ipv6 = fc.array(fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff })), {
      minLength: 8,
      maxLength: 8,
    });
    const port = fc.integer({ min: 0, max: 65_535 });
    holds(
      fc.property(fc.array(fc.tuple(ipv4, ipv6, port), { maxLength: 5 }), (all) => {
        for (const [address4, groups, number] of all) {
          expect(again(address4, number, 4)).toEqual({ address: address4, port: number });
          expect(again(address4, number, 6)).toBe(again(address4, number, 4));
          const bytes = Buffer.from(groups.flatMap((group) => [group >> 8, group & 255]));
          memory.bytes.set(bytes, 32);
          const endpoint = reader.ipv6(memory.view, 32, 0, number);
          expect(again(endpoint.address, number, 6)).toBe(endpoint);
          expect(bytes.equals(memory.bytes.subarray(8, 24))).toBe(true);
        }
      }),
    );
  });

  test('holds up no file: 16 servers wait while one is read', async () => {
    const servers = await Promise.all(Array.from({ length: 16 }, () => startUdpServer('127.0.0.1:0')));
    const waiting = servers.map((server) => server.recvfrom());
    // If a thread of Node's pool waited for each server, no file would be read before the datagrams come.
    for (let nth = 0; nth < 20; nth += 1) expect(await readFile('/proc/self/status', 'utf8')).toContain('Pid:');
    await using client = await startUdpServer('127.0.0.1:0');
    for (const { local } of servers) await client.sendto('wake up', local);
    expect((await Promise.all(waiting)).map(({ data }) => text(data))).toEqual(Array(16).fill('wake up'));
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  test('leaks no descriptor over ten thousand sockets, opened, used and closed', async () => {
    await using echo = await echoServer();
    const before = sockets();
    for (let round = 0; round < 100; round += 1) {
      const opened = await Promise.all(
        Array.from({ length: 100 }, (_, nth) =>
          nth % 2 === 0 ? startUdpServer('127.0.0.1:0') : openUdpConnection(echo.address, { strays: 'report' }),
        ),
      );
      for (const [nth, socket] of opened.entries()) {
        if ('sendto' in socket) void socket.sendto('x', opened[(nth + 2) % 100]!.local);
        if (nth % 3 === 0) socket.abort();
        else socket.close();
      }
      await Promise.all(opened.map((socket) => socket.waitClosed()));
    }
    expect(sockets()).toBe(before);
  });

  test('watches many sockets through one descriptor: each is heard, refused and closed by itself', async () => {
    const groups = (): number => descriptors().filter(({ what }) => what.includes('eventpoll')).length;
    const before = groups();
    const servers = await Promise.all(Array.from({ length: 40 }, () => startUdpServer('127.0.0.1:0')));
    expect(groups()).toBe(before + 1);
    await using client = await openUdpConnection(`127.0.0.1:${await closedPort()}`);
    const refused = once(client, 'peerError');
    await client.send('x');
    expect(await refused).toMatchObject([{ code: 'REFUSED' }]);
    // The error has ended the watch, and it began again.
    const again = once(client, 'peerError');
    await client.send('x');
    await again;
    for (const [nth, server] of servers.entries()) {
      const next = servers[(nth + 1) % servers.length]!;
      await server.sendto(`${nth}`, next.local);
      expect(text((await next.recvfrom()).data)).toBe(`${nth}`);
    }
    // All are ready together, and the first one that is read closes the others.
    const read = servers.map(async (server) => {
      const datagram = await server.recvfrom().catch(() => undefined);
      for (const other of servers) if (other !== server) other.abort();
      return datagram;
    });
    await using sender = await startUdpServer('127.0.0.1:0');
    await sender.sendBatch(servers.map(({ local }) => ({ data: Buffer.from('x'), remote: local })));
    expect((await Promise.all(read)).filter((datagram) => datagram !== undefined).length).toBeGreaterThan(0);
    for (const server of servers) server.close();
    await Promise.all(servers.map((server) => server.waitClosed()));
  });

  test('has timers finer than those of Node: they ring no earlier than asked, again when set again, and leave no descriptor', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    expect(server.engine).toBe('linux');
    const timers = (): number => descriptors().filter(({ what }) => what.includes('timerfd')).length;
    const before = timers();
    let rung = (): void => undefined;
    const timer = openFineTimer(() => {
      rung();
    })!;
    expect(timers()).toBe(before + 1);
    for (const delayMs of [0, 0.3, 1.7]) {
      const beginMs = performance.now();
      const rings = new Promise<void>((resolve) => (rung = resolve));
      timer.set(60_000);
      timer.set(delayMs);
      await rings;
      expect(performance.now() - beginMs).toBeGreaterThanOrEqual(delayMs);
    }
    timer.close();
    expect(timers()).toBe(before);
  });

  test('passes no descriptor on to a child', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    await using client = await openUdpConnection(server.local, { strays: 'report' });
    expect(client.local.port).toBeGreaterThan(0);
    const closedOnExec = descriptors()
      .filter(({ what }) => what.startsWith('socket:'))
      .map(
        ({ fd }) =>
          (Number.parseInt(/^flags:\s+(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))![1]!, 8) &
            0o2_000_000) !==
          0,
      );
    expect(closedOnExec.length).toBeGreaterThanOrEqual(2);
    expect(closedOnExec).not.toContain(false);
  });

  test('delivers nothing after close, whatever was under way', async () => {
    await using flooder = await startUdpServer('127.0.0.1:0');
    const errors: unknown[] = [];
    for (let round = 0; round < 50; round += 1) {
      const server = await startUdpServer('127.0.0.1:0');
      const gone = { address: '127.0.0.1', port: await closedPort() };
      await flooder.sendBatch(Array.from({ length: 50 }, () => ({ data: Buffer.from('x'), remote: server.local })));
      await server.sendto('x', gone);
      server.abort();
      server.on('peerError', (error) => errors.push(error));
      await flooder.poll();
      expect(server.queued).toBe(0);
    }
    expect(errors).toEqual([]);
  });

  test('keeps the process running while a socket is open, and not when all are closed', async () => {
    expect(
      await runModule(`
        const server = await net.startUdpServer('127.0.0.1:0', { engine });
        const client = await net.openUdpConnection(server.local, { engine });
        setTimeout(() => client.send('after a while'), 100);
        const { data } = await server.recvfrom();
        process.stdout.write(data.toString());
        server.close();
        client.close();
      `),
    ).toBe('after a while');
  });

  test('keeps the process running while nobody reads a full queue', async () => {
    expect(
      await runModule(`
        const server = await net.startUdpServer('127.0.0.1:0', { engine, maxReadQueue: 1 });
        const client = await net.openUdpConnection(server.local, { engine });
        await client.sendBatch(['one', 'two', 'three'].map((text) => Buffer.from(text)));
        client.close();
        await client.waitClosed();
        await new Promise((resolve) => setTimeout(resolve, 50).unref());
        for (let nth = 0; nth < 3; nth += 1) process.stdout.write((await server.recvfrom()).data.toString() + ' ');
        server.close();
      `),
    ).toBe('one two three ');
  });

  test('does not hold up process.exit', async () => {
    const body = `
      const server = await net.startUdpServer('127.0.0.1:0', { engine });
      void server.recvfrom();
      await server.sendto('x', server.local);
      process.stdout.write('exits', () => process.exit(0));
    `;
    expect(await runModule(body)).toBe('exits');
  });
});

describe('where the linux engine cannot run', () => {
  const tryOut = (engine: string): Promise<string> =>
    runModule(
      `
        const server = await net.startUdpServer('127.0.0.1:0', { engine: '${engine}' }).catch((error) => error);
        if (server instanceof Error) console.log(server.code, server.message, server.cause?.code);
        else console.log(server.engine, server.engineUnavailable?.code, server.engineUnavailable?.message);
        if (!(server instanceof Error)) server.close();
      `,
      'without koffi',
    );
  const name = `@koromix/koffi-linux-${process.arch}`;
  const why = `the linux engine is not available: the package ${name} is not installed, or does not load; npm install ${name}`;

  test('it is an error that says why, auto takes the node engine and knows why, and node does not ask', async () => {
    expect(await tryOut('linux')).toBe(`UNSUPPORTED ${why} ERR_MODULE_NOT_FOUND\n`);
    expect(await tryOut('auto')).toBe(`node UNSUPPORTED ${why}\n`);
    expect(await tryOut('node')).toBe('node undefined undefined\n');
  });
});
