import { describe, expect, test } from '@jest/globals';
import {
  type Arrivals,
  type Datagram,
  type DatagramError,
  formatEndpoint,
  MAX_PAYLOAD_BYTES,
} from '../../src/net/index.js';
import { closedPort, echoServer, type Family, silentServer } from '../support/sockets.js';
import { datagramError, outDatagrams, queuedIn, text } from '../support/net.js';
import { describeEngines } from '../support/engines.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

const FAMILIES: readonly { family: Family; host: string; local: string }[] = [
  { family: 4, host: '127.0.0.1', local: '127.0.0.1:0' },
  { family: 6, host: '::1', local: '[::1]:0' },
];

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  describe.each(FAMILIES)('a server on IPv$family', ({ family, host, local }) => {
    test.each([
      ['text', local],
      ['a parsed address', { host: { kind: 'literal' as const, address: host }, port: 0 }],
      ['an endpoint', { address: host, port: 0 }],
    ])('binds an address given as %s, and says which port the kernel chose', async (_form, address) => {
      await using server = await startUdpServer(address);
      expect(server.local.address).toBe(host);
      expect(server.local.port).toBeGreaterThan(0);
      await using peer = await silentServer(family);
      const beforeMs = Date.now();
      await peer.send('hello', formatEndpoint(server.local));
      const datagram = await server.recvfrom();
      expect(text(datagram.data)).toBe('hello');
      expect(datagram.remote).toEqual({ address: host, port: peer.port });
      expect(datagram.local).toEqual(server.local);
      expect(datagram.timeMs).toBeGreaterThanOrEqual(beforeMs);
      expect(datagram.timeMs).toBeLessThan(Date.now() + 1);
    });

    test('binds a bare port on loopback of the family asked for', async () => {
      await using server = await startUdpServer('0', { family });
      expect(server.local.address).toBe(host);
    });

    test('sends to an address given as text, parsed, as an endpoint or by name', async () => {
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      await server.sendto('text', peer.address);
      await server.sendto('endpoint', { address: host, port: peer.port });
      await server.sendto('parsed', { host: { kind: 'literal', address: host }, port: peer.port });
      await server.sendto('port', String(peer.port));
      const names = family === 4 ? ['localhost'] : [];
      for (const name of names) await server.sendto('name', `${name}:${peer.port}`);
      const received = await peer.collect(4 + names.length);
      expect(received.map(({ data }) => data.toString())).toEqual([
        ...['text', 'endpoint', 'parsed', 'port'],
        ...names.map(() => 'name'),
      ]);
      expect(new Set(received.map(({ from }) => from))).toEqual(new Set([formatEndpoint(server.local)]));
    });

    test('only counts what arrives where that is asked for: every datagram, and the bytes of each', async () => {
      const told: Arrivals[] = [];
      const payloads: Buffer[] = [];
      const beforeMs = Date.now();
      const onArrivals = (some: Arrivals): void => {
        told.push(some);
        payloads.push(Buffer.from(some.payloads));
      };
      await using server = await startUdpServer(local, { maxReadQueue: 1, onArrivals });
      await using one = await openUdpConnection(server.local);
      await using other = await openUdpConnection(server.local);
      const sizes = [...Array<number>(40).fill(100), 7, 0, 2000, ...Array<number>(40).fill(3), 1];
      const sent = sizes.map((size, nth) => Buffer.alloc(size, nth + 1));
      for (const client of [one, other]) await client.sendBatch(sent);
      server.close();
      expect(await server.batches().next()).toEqual({ done: true, value: undefined });
      for (const { local: remote } of [one, other]) {
        const own = told.filter((some) => some.remote.port === remote.port);
        const sum = (of: (some: Arrivals) => number): number => own.reduce((all, some) => all + of(some), 0);
        expect(own.every((some) => some.remote.address === host)).toBe(true);
        expect(sum(({ count }) => count)).toBe(sizes.length);
        expect(Buffer.concat(own.map((some) => payloads[told.indexOf(some)]!))).toEqual(Buffer.concat(sent));
        expect(sum(({ bytes }) => bytes)).toBe(sizes.reduce((all, size) => all + size, 0));
        expect(Math.min(...own.map(({ smallest }) => smallest))).toBe(0);
        expect(Math.max(...own.map(({ largest }) => largest))).toBe(2000);
        for (const { count, bytes, smallest, largest, timeMs } of own) {
          expect(smallest + (count - 1) * largest).toBe(bytes);
          expect(timeMs).toBeGreaterThanOrEqual(beforeMs);
          expect(timeMs).toBeLessThan(Date.now() + 1);
        }
      }
      expect([server.dropped, server.queued]).toEqual([0, 0]);
    });

    test('tells nothing more of what arrives once it was aborted, though more arrived together', async () => {
      const told: Arrivals[] = [];
      await using server = await startUdpServer(local, {
        onArrivals: (some) => {
          told.push(some);
          server.abort();
        },
      });
      const peers = await Promise.all([0, 1, 2].map(() => openUdpConnection(server.local)));
      await Promise.all(peers.map((peer) => peer.send('x')));
      await server.waitClosed();
      for (const peer of peers) peer.abort();
      expect(told).toHaveLength(1);
    });

    test('rejects when its port is in use, with the cause, and names the address', async () => {
      await using other = await silentServer(family);
      const error = await datagramError(startUdpServer(other.address));
      expect(error.code).toBe('OPEN_FAILED');
      expect(error.cause).toMatchObject({ code: 'EADDRINUSE', syscall: 'bind' });
      expect(error.message).toBe(`cannot bind ${other.address}: the port is in use (EADDRINUSE)`);
    });

    test('rejects an address that no interface of this host has', async () => {
      const foreign = family === 4 ? '203.0.113.1:0' : '[2001:db8::1]:0';
      const error = await datagramError(startUdpServer(foreign));
      expect(error.code).toBe('OPEN_FAILED');
      expect(error.cause).toMatchObject({ code: 'EADDRNOTAVAIL' });
      expect(error.message).toContain(foreign);
    });

    test('rejects the other family with INVALID_ADDRESS', async () => {
      const other = family === 4 ? 6 : 4;
      expect((await datagramError(startUdpServer(local, { family: other }))).code).toBe('INVALID_ADDRESS');
    });

    test('refuses ports that Node would wrap around or truncate', async () => {
      for (const port of [70_000, -1, 1.5, NaN]) {
        expect((await datagramError(startUdpServer({ address: host, port }))).code).toBe('INVALID_ADDRESS');
      }
      await using server = await startUdpServer(local);
      for (const port of [70_000, -1, 1.5, NaN, 0]) {
        expect((await datagramError(server.sendto('x', { address: host, port }))).code).toBe('INVALID_ADDRESS');
      }
    });

    test('refuses destinations that are no peer, and peers it cannot reach, before it sends any of a batch', async () => {
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      const good = { address: host, port: peer.port };
      const bad = [
        { address: family === 4 ? '0.0.0.0' : '::', port: peer.port },
        { address: family === 4 ? '::1' : '127.0.0.1', port: peer.port },
        { address: 'localhost', port: peer.port },
        { address: 'fe80::1', port: peer.port },
        { address: 'fe80::1%no_such', port: peer.port },
      ];
      for (const remote of bad) {
        const batch = [good, remote].map((to) => ({ data: Buffer.from('bad'), remote: to }));
        expect((await datagramError(server.sendBatch(batch))).code).toBe('INVALID_ADDRESS');
        expect((await datagramError(server.sendto('bad', remote))).code).toBe('INVALID_ADDRESS');
      }
      await server.sendto('good', good);
      expect((await peer.collect(1)).map(({ data }) => data.toString())).toEqual(['good']);
    });

    test('sends to an endpoint in any writing, each time it is given', async () => {
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      const remote = { address: family === 4 ? '::FFFF:127.0.0.1' : '0:0:0:0:0:0:0:1', port: peer.port };
      for (const data of ['a', 'b', 'c']) await server.sendto(data, remote);
      expect((await peer.collect(3)).map(({ data }) => data.toString())).toEqual(['a', 'b', 'c']);
    });

    test('takes and sends an empty datagram and the largest, whole', async () => {
      const largest = Buffer.alloc(MAX_PAYLOAD_BYTES[family], 0xa5);
      largest.writeUInt32BE(0xdeadbeef, largest.length - 4);
      await using server = await startUdpServer(local);
      await using peer = await echoServer(family);
      const remote = { address: host, port: peer.port };
      await server.sendto(new Uint8Array(0), remote);
      await server.sendto(largest, remote);
      const datagrams = [await server.recvfrom(), await server.recvfrom()];
      expect(datagrams.map(({ data }) => data.length).sort()).toEqual([0, largest.length]);
      expect(datagrams.some(({ data }) => largest.equals(data))).toBe(true);
      expect((await peer.collect(2)).map(({ data }) => data.length)).toEqual([0, largest.length]);
    });

    test('rejects one byte more with TOO_LARGE and the limit, and sends the next', async () => {
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      const remote = { address: host, port: peer.port };
      const limit = MAX_PAYLOAD_BYTES[family];
      const error = await datagramError(server.sendto(new Uint8Array(limit + 1), remote));
      expect(error).toMatchObject({ code: 'TOO_LARGE', peer: remote });
      expect(error.message).toBe(`cannot send ${limit + 1} bytes to ${formatEndpoint(remote)}: the limit is ${limit}`);
      const batch = [new Uint8Array(1), new Uint8Array(limit + 1), new Uint8Array(2)];
      const failures = await server.sendBatch(batch.map((data) => ({ data, remote })));
      expect(failures.map((failure) => [failure.index, failure.error.code])).toEqual([[1, 'TOO_LARGE']]);
      await server.sendto('next', remote);
      expect((await peer.collect(3)).map(({ data }) => data.length)).toEqual([1, 2, 4]);
    });

    testWithProc('is not disturbed by a peer that is gone: it goes on with the others', async () => {
      await using server = await startUdpServer(local);
      await using peer = await echoServer(family);
      const errors: DatagramError[] = [];
      server.on('peerError', (error) => errors.push(error));
      const gone = { address: host, port: await closedPort(family) };
      const healthy = { address: host, port: peer.port };
      const before = outDatagrams(family);
      const batch = Array.from({ length: 200 }, (_, nth) => ({
        data: Buffer.from(String(nth)),
        remote: nth % 2 === 0 ? gone : healthy,
      }));
      expect(await server.sendBatch(batch)).toEqual([]);
      expect(outDatagrams(family) - before).toBeGreaterThanOrEqual(200);
      await peer.collect(100);
      const answers: string[] = [];
      while (answers.length < 100) answers.push(text((await server.recvfrom()).data));
      expect(answers).toEqual(batch.filter(({ remote }) => remote === healthy).map(({ data }) => data.toString()));
      // The node engine gets no ICMP errors on a socket without a peer.
      expect(new Set(errors.map((error) => error.peer?.port))).toEqual(new Set(engine === 'node' ? [] : [gone.port]));
      expect(new Set(errors.map((error) => error.code))).toEqual(new Set(engine === 'node' ? [] : ['REFUSED']));
    });

    test('delivers ten thousand datagrams in order and exactly once to a reader that keeps up', async () => {
      const count = 10_000;
      await using server = await startUdpServer(local, { maxReadQueue: count });
      await using client = await openUdpConnection(server.local);
      const received: number[] = [];
      const reading = (async () => {
        for await (const batch of server.batches()) {
          for (const { data } of batch) received.push(Buffer.from(data).readUInt32BE());
          if (received.length >= count) return;
        }
      })();
      const payloads = Array.from({ length: count }, (_, nth) => {
        const data = Buffer.alloc(64);
        data.writeUInt32BE(nth);
        return data;
      });
      expect(await client.sendBatch(payloads)).toEqual([]);
      await reading;
      expect(received).toEqual(Array.from({ length: count }, (_, nth) => nth));
      expect(server.dropped).toBe(0);
    });

    test('lets timers and other sockets have their turn during a long batch', async () => {
      await using server = await startUdpServer(local, { maxReadQueue: 100_000 });
      await using echo = await echoServer(family);
      await using client = await openUdpConnection(echo.address);
      const batch = new AbortController();
      const isSent = (): boolean => batch.signal.aborted;
      let ticks = 0;
      const timer = setInterval(() => {
        if (!isSent()) ticks += 1;
      }, 1);
      let answersWhileSending = 0;
      const asking = (async () => {
        while (!isSent()) {
          await client.send('ping');
          await client.recv();
          if (!isSent()) answersWhileSending += 1;
        }
      })();
      const remote = { address: host, port: await closedPort(family) };
      const data = new Uint8Array(1000);
      const count = engine === 'node' ? 20_000 : 500_000;
      await server.sendBatch(Array.from({ length: count }, () => ({ data, remote })));
      batch.abort();
      clearInterval(timer);
      await asking;
      expect(ticks).toBeGreaterThan(5);
      expect(answersWhileSending).toBeGreaterThan(5);
    });

    test('never overwrites a datagram that it handed out', async () => {
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      const to = formatEndpoint(server.local);
      const kept: Datagram[] = [];
      for (let nth = 0; nth < 200; nth += 1) {
        await peer.send(`payload ${nth}`, to);
        kept.push(await server.recvfrom());
      }
      expect(kept.map(({ data }) => text(data))).toEqual(kept.map((_, nth) => `payload ${nth}`));
    });

    if (engine === 'node') {
      test('drops the newest of a full queue, counts them, and tells', async () => {
        await using server = await startUdpServer(local, { maxReadQueue: 3 });
        await using peer = await silentServer(family);
        const drops: number[] = [];
        server.on('drop', (count) => drops.push(count));
        for (const data of ['a', 'b', 'c', 'd', 'e']) await peer.send(data, formatEndpoint(server.local));
        await queuedIn(server, 5);
        expect([server.queued, server.dropped]).toEqual([3, 2]);
        expect(drops.reduce((sum, count) => sum + count, 0)).toBe(2);
        const left = [await server.recvfrom(), await server.recvfrom(), await server.recvfrom()];
        expect(left.map(({ data }) => text(data))).toEqual(['a', 'b', 'c']);
      });
    } else {
      test('leaves in the kernel what a full queue has no room for, until there is some, and drops nothing', async () => {
        await using server = await startUdpServer(local, { maxReadQueue: 3 });
        await using peer = await silentServer(family);
        const payloads = Array.from({ length: 100 }, (_, nth) => String(nth));
        for (const data of payloads) await peer.send(data, formatEndpoint(server.local));
        await server.poll();
        expect([server.queued, server.dropped]).toEqual([3, 0]);
        const read: string[] = [];
        while (read.length < 50) read.push(text((await server.recvfrom()).data));
        expect(server.queued).toBeLessThanOrEqual(3);
        // Closing reads the rest from the kernel.
        server.close();
        await server.waitClosed();
        for await (const { data } of server) read.push(text(data));
        expect(read).toEqual(payloads);
        expect(server.dropped).toBe(0);
      });
    }

    test('drops the oldest of a full queue when told to', async () => {
      await using server = await startUdpServer(local, { maxReadQueue: 3, overflow: 'drop-oldest' });
      await using peer = await silentServer(family);
      for (const data of ['a', 'b', 'c', 'd', 'e']) await peer.send(data, formatEndpoint(server.local));
      await queuedIn(server, 5);
      expect(server.dropped).toBe(2);
      const left = [await server.recvfrom(), await server.recvfrom(), await server.recvfrom()];
      expect(left.map(({ data }) => text(data))).toEqual(['c', 'd', 'e']);
    });

    test('fails on a full queue when told to: what it holds can be read, and it still sends', async () => {
      await using server = await startUdpServer(local, { maxReadQueue: 2, overflow: 'fail' });
      await using peer = await silentServer(family);
      for (const data of ['a', 'b', 'c']) await peer.send(data, formatEndpoint(server.local));
      await queuedIn(server, 3);
      expect([text((await server.recvfrom()).data), text((await server.recvfrom()).data)]).toEqual(['a', 'b']);
      expect((await datagramError(server.recvfrom())).code).toBe('QUEUE_FULL');
      await server.sendto('still here', peer.address);
      expect((await peer.collect(1))[0]!.data.toString()).toBe('still here');
    });
  });

  describe('a server on every interface', () => {
    test.each(['*:0', ':0', '[::]:0'])(
      'hears both families at %s, shows IPv4 as IPv4 and answers it',
      async (address) => {
        await using server = await startUdpServer(address);
        expect(server.local.address).toBe('::');
        for (const { family, host } of FAMILIES) {
          await using peer = await silentServer(family);
          await peer.send('hello', formatEndpoint({ address: host, port: server.local.port }));
          const datagram = await server.recvfrom();
          expect(datagram.remote).toEqual({ address: host, port: peer.port });
          expect(datagram.local).toEqual(engine === 'node' ? undefined : { address: host, port: server.local.port });
          await server.sendto('answer', datagram.remote);
          expect((await peer.collect(1))[0]!.data.toString()).toBe('answer');
        }
      },
    );

    test('hears both families when :: is given as an endpoint, as its own local address is', async () => {
      await using server = await startUdpServer({ address: '::', port: 0 });
      await using peer = await silentServer(4);
      await peer.send('hello', `127.0.0.1:${server.local.port}`);
      expect((await server.recvfrom()).remote.address).toBe('127.0.0.1');
    });

    test('hears IPv6 only with family 6: the port is free for IPv4', async () => {
      await using server = await startUdpServer('*:0', { family: 6 });
      expect(server.local.address).toBe('::');
      await using other = await startUdpServer(`0.0.0.0:${server.local.port}`);
      await using peer = await silentServer(4);
      await peer.send('hello', `127.0.0.1:${server.local.port}`);
      expect(text((await other.recvfrom()).data)).toBe('hello');
      expect((await datagramError(server.sendto('x', peer.address))).code).toBe('INVALID_ADDRESS');
    });

    test('hears IPv4 only with family 4: the port is free for IPv6', async () => {
      await using server = await startUdpServer('*:0', { family: 4 });
      expect(server.local.address).toBe('0.0.0.0');
      await using other = await startUdpServer(`[::1]:${server.local.port}`);
      expect(other.local.port).toBe(server.local.port);
    });

    test('takes the port for both families', async () => {
      await using server = await startUdpServer('*:0');
      expect((await datagramError(startUdpServer(`0.0.0.0:${server.local.port}`))).cause).toMatchObject({
        code: 'EADDRINUSE',
      });
    });

    test('carries 65507 bytes to IPv4 and no more, 65527 to IPv6', async () => {
      await using server = await startUdpServer('*:0');
      for (const { family } of FAMILIES) {
        await using peer = await silentServer(family);
        const limit = MAX_PAYLOAD_BYTES[family];
        const error = await datagramError(server.sendto(new Uint8Array(limit + 1), peer.address));
        expect(error.code).toBe('TOO_LARGE');
        expect(error.message).toContain(`the limit is ${limit}`);
        await server.sendto(new Uint8Array(limit), peer.address);
        expect((await peer.collect(1))[0]!.data).toHaveLength(limit);
      }
    });
  });

  describe('a server on an IPv4-mapped address', () => {
    test('is a server on the IPv4 address', async () => {
      await using server = await startUdpServer('[::ffff:127.0.0.1]:0');
      expect(server.local.address).toBe('127.0.0.1');
    });
  });
});
