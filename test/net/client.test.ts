import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { Worker } from 'node:worker_threads';
import { describe, expect, test } from '@jest/globals';
import {
  type Datagram,
  type DatagramError,
  formatEndpoint,
  MAX_PAYLOAD_BYTES,
  type ServerOptions,
  type Strays,
} from '../../src/net/index.js';
import { datagramError, outDatagrams, queuedIn, text } from '../support/net.js';
import { closedPort, echoServer, type Family, silentServer, strayServer } from '../support/sockets.js';
import { describeEngines } from '../support/engines.js';
import { administersNetwork } from '../support/privileges.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

const FAMILIES: readonly { family: Family; host: string; local: string }[] = [
  { family: 4, host: '127.0.0.1', local: '127.0.0.1:0' },
  { family: 6, host: '::1', local: '[::1]:0' },
];

/** A worker thread that sends to one port as fast as it can: at most a million datagrams. */
const FLOOD = `
  const { parentPort, workerData: { family, host, port } } = require('node:worker_threads');
  const socket = require('node:dgram').createSocket('udp' + family);
  let left = 1_000_000;
  const send = () => (left-- > 0 ? socket.send('stray', port, host, send) : socket.close());
  socket.send('stray', port, host, () => parentPort.postMessage('flooding'));
  send();
`;

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  describe.each(FAMILIES)('a client on IPv$family', ({ family, host, local }) => {
    test('connects to text, a parsed address and an endpoint, sends there and receives the answers', async () => {
      await using echo = await echoServer(family);
      const addresses = [
        echo.address,
        `udp://${echo.address}`,
        { address: host, port: echo.port },
        { host: { kind: 'literal' as const, address: host }, port: echo.port },
      ];
      for (const address of addresses) {
        await using client = await openUdpConnection(address);
        expect(client.remote).toEqual({ address: host, port: echo.port });
        expect(client.local.address).toBe(host);
        await client.send('text');
        await client.send(Buffer.from('bytes'));
        expect([text(await client.recv()), text(await client.recv())]).toEqual(['text', 'bytes']);
        expect((await echo.collect(1)).at(-1)?.from).toBeDefined();
      }
    });

    test('sends from the local address that it was given', async () => {
      await using peer = await silentServer(family);
      const port = await closedPort(family);
      for (const localAddress of [formatEndpoint({ address: host, port }), { address: host, port }]) {
        await using client = await openUdpConnection(peer.address, { localAddress });
        expect(client.local).toEqual({ address: host, port });
        await client.send('x');
      }
      const froms = (await peer.collect(2)).map(({ from }) => from);
      expect(froms).toEqual(Array(2).fill(formatEndpoint({ address: host, port })));
    });

    test('rejects a local address of the other family, in use, or foreign', async () => {
      await using peer = await silentServer(family);
      const open = (localAddress: string) => datagramError(openUdpConnection(peer.address, { localAddress }));
      expect((await open(family === 4 ? '[::1]:0' : '127.0.0.1:0')).code).toBe('INVALID_ADDRESS');
      expect((await open(peer.address)).cause).toMatchObject({ code: 'EADDRINUSE' });
      expect((await open(family === 4 ? '203.0.113.1:0' : '[2001:db8::1]:0')).cause).toMatchObject({
        code: 'EADDRNOTAVAIL',
      });
    });

    test('rejects destinations that are none', async () => {
      for (const address of ['*:53', ':53', '[::]:53', '0.0.0.0:53', formatEndpoint({ address: host, port: 0 })]) {
        expect((await datagramError(openUdpConnection(address))).code).toBe('INVALID_ADDRESS');
      }
      expect((await datagramError(openUdpConnection({ address: host, port: 70_000 }))).code).toBe('INVALID_ADDRESS');
    });

    test('takes the address of a name that is of the family of its local address', async () => {
      await using peer = await silentServer(4);
      await using client = await openUdpConnection(`localhost:${peer.port}`, { localAddress: '127.0.0.1:0' });
      expect(client.remote).toEqual({ address: '127.0.0.1', port: peer.port });
    });

    test('carries an empty datagram and the largest both ways, whole', async () => {
      const largest = Buffer.alloc(MAX_PAYLOAD_BYTES[family], 0x5a);
      largest.writeUInt32BE(0xdeadbeef, largest.length - 4);
      await using echo = await echoServer(family);
      await using client = await openUdpConnection(echo.address);
      await client.send('');
      expect(await client.recv()).toHaveLength(0);
      await client.send(largest);
      expect(largest.equals(await client.recv())).toBe(true);
    });

    test('rejects one byte more with TOO_LARGE, and sends the next', async () => {
      await using echo = await echoServer(family);
      await using client = await openUdpConnection(echo.address);
      const limit = MAX_PAYLOAD_BYTES[family];
      const error = await datagramError(client.send(new Uint8Array(limit + 1)));
      expect(error).toMatchObject({ code: 'TOO_LARGE', peer: client.remote });
      expect(error.message).toContain(`the limit is ${limit}`);
      await client.send('next');
      expect(text(await client.recv())).toBe('next');
    });

    testWithProc('transmits each of a thousand datagrams to a port that is closed, and fails none', async () => {
      await using client = await openUdpConnection({ address: host, port: await closedPort(family) });
      const errors: DatagramError[] = [];
      client.on('peerError', (error) => errors.push(error));
      const before = outDatagrams(family);
      for (let nth = 0; nth < 500; nth += 1) await client.send('one by one');
      // The sizes grow, so that no datagrams are sent as segments: the kernel counts the segments of a message as one.
      expect(await client.sendBatch(Array.from({ length: 500 }, (_, nth) => Buffer.alloc(nth)))).toEqual([]);
      expect(outDatagrams(family) - before).toBeGreaterThanOrEqual(1000);
      expect(errors.length).toBeGreaterThan(0);
      expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['REFUSED']));
    });

    test('loses none of a batch in the middle of which the service comes up', async () => {
      const port = await closedPort(family);
      await using client = await openUdpConnection({ address: host, port });
      const payloads = Array.from({ length: 1000 }, (_, nth) => Buffer.from(String(nth)));
      expect(await client.sendBatch(payloads.slice(0, 500))).toEqual([]);
      // The ICMP error of the last datagram is pending now.
      await using server = await startUdpServer({ address: host, port });
      expect(await client.sendBatch(payloads.slice(500))).toEqual([]);
      const received: string[] = [];
      while (received.length < 500) received.push(text((await server.recvfrom()).data));
      expect(received).toEqual(payloads.slice(500).map(String));
    });

    test('delivers the first datagram to a service that just came up', async () => {
      const port = await closedPort(family);
      await using client = await openUdpConnection({ address: host, port });
      await client.send('nobody hears this');
      await using server = await startUdpServer({ address: host, port });
      await client.send('first');
      expect(text((await server.recvfrom()).data)).toBe('first');
    });

    test('reports a refusal as an event with its peer and cause, and goes on', async () => {
      const port = await closedPort(family);
      await using client = await openUdpConnection({ address: host, port });
      const refused = once(client, 'peerError') as Promise<[DatagramError]>;
      await client.send('x');
      const [error] = await refused;
      expect(error).toMatchObject({ code: 'REFUSED', peer: { address: host, port } });
      expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
      expect(error.message).toBe(
        `${formatEndpoint({ address: host, port })} refused: nobody listens there (ECONNREFUSED)`,
      );
      await using server = await startUdpServer({ address: host, port });
      await client.send('again');
      const { remote } = await server.recvfrom();
      await server.sendto('answer', remote);
      expect(text(await client.recv())).toBe('answer');
    });

    test('asks the kernel once for a refusal by poll()', async () => {
      await using client = await openUdpConnection({ address: host, port: await closedPort(family) });
      let refusals = 0;
      client.on('peerError', () => (refusals += 1));
      await client.send('x');
      await client.poll();
      expect(refusals).toBe(1);
    });

    test('needs no listener for a refusal', async () => {
      await using client = await openUdpConnection({ address: host, port: await closedPort(family) });
      await client.send('x');
      await client.poll();
      await client.send('y');
      expect(client.queued).toBe(0);
    });

    describe('asked by a stranger', () => {
      test.each<[Strays, 'free' | 'given']>([
        ['ignore', 'free'],
        ['report', 'free'],
        ['receive', 'free'],
        ['ignore', 'given'],
        ['report', 'given'],
        ['receive', 'given'],
      ])('with strays %j and a local port that is %s', async (strays, kind) => {
        await using peer = await strayServer(family, 'from elsewhere');
        const port = kind === 'given' ? await closedPort(family) : 0;
        await using client = await openUdpConnection(peer.address, { strays, localAddress: { address: host, port } });
        const reported: Datagram[] = [];
        client.on('strays', (batch) => reported.push(...batch));
        await client.send('question');
        const [question] = await peer.collect(1);
        expect(question!.from).toBe(formatEndpoint(client.local));
        await peer.send('from the peer', formatEndpoint(client.local));
        await queuedIn(client, strays === 'receive' ? 2 : 1);
        await client.poll();
        const received: Datagram[] = [];
        while (client.queued > 0) {
          const { value } = await client.batches().next();
          received.push(...(value ?? []));
        }
        const shown = (datagrams: readonly Datagram[]) =>
          datagrams.map(({ data, remote }) => `${text(data)} ${formatEndpoint(remote)}`).sort();
        const stray = `from elsewhere ${peer.strayAddress}`;
        expect(shown(reported)).toEqual(strays === 'report' ? [stray] : []);
        expect(shown(received)).toEqual([...(strays === 'receive' ? [stray] : []), `from the peer ${peer.address}`]);
      });

      test('takes nothing of the stranger for the peer while it opens, when its socket is bound but not connected', async () => {
        await using peer = await echoServer(family);
        const port = await closedPort(family);
        const stranger = new Worker(FLOOD, { eval: true, workerData: { family, host, port } });
        await once(stranger, 'message');
        const fromPeer: string[] = [];
        let reports = 0;
        const local = { address: host, port };
        for (let nth = 0; nth < 60; nth += 1) {
          const strays = nth % 2 === 0 ? 'ignore' : 'report';
          await using client = await openUdpConnection(peer.address, {
            strays,
            localAddress: local,
            maxReadQueue: 10_000,
          });
          client.on('strays', (batch) => (reports += batch.length));
          await client.send('ping');
          for (let payload = ''; payload !== 'ping';) fromPeer.push((payload = text(await client.recv())));
          // The flood goes on, so some of its datagrams arrive after the opening.
          while (strays === 'report' && reports === 0) await client.poll();
        }
        await stranger.terminate();
        expect(fromPeer).toEqual(Array(60).fill('ping'));
        expect(reports).toBeGreaterThan(0);
      });

      test('still learns of refusals', async () => {
        const port = await closedPort(family);
        await using client = await openUdpConnection({ address: host, port }, { strays: 'receive' });
        const refused = once(client, 'peerError') as Promise<[DatagramError]>;
        await client.send('x');
        expect((await refused)[0].code).toBe('REFUSED');
      });

      test('rejects a local port that is in use, though hearing strangers shares its port with itself', async () => {
        await using peer = await silentServer(family);
        await using other = await openUdpConnection(peer.address, { strays: 'report' });
        for (const taken of [formatEndpoint(other.local), peer.address]) {
          const error = await datagramError(openUdpConnection(peer.address, { strays: 'report', localAddress: taken }));
          expect(error.code).toBe('OPEN_FAILED');
          expect(error.cause).toMatchObject({ code: 'EADDRINUSE' });
        }
        await other.send('still heard');
        expect((await peer.collect(1))[0]!.from).toBe(formatEndpoint(other.local));
      });

      test('has a port of its own, however many are opened at once', async () => {
        await using peer = await echoServer(family);
        const clients = await Promise.all(
          Array.from({ length: 40 }, () => openUdpConnection(peer.address, { strays: 'report' })),
        );
        expect(new Set(clients.map((client) => client.local.port)).size).toBe(clients.length);
        await Promise.all(clients.map((client, nth) => client.send(String(nth))));
        const answers = await Promise.all(clients.map(async (client) => text(await client.recv())));
        expect(answers).toEqual(clients.map((_, nth) => String(nth)));
        await Promise.all(clients.map((client) => client[Symbol.asyncDispose]()));
      });
    });

    test('is never handed what another host sent to the port before it connected, without asking for strays', async () => {
      await using peer = await silentServer(family);
      await using stranger = await silentServer(family);
      await using client = await openUdpConnection(peer.address);
      await stranger.send('stray', formatEndpoint(client.local));
      await peer.send('mine', formatEndpoint(client.local));
      expect(text(await client.recv())).toBe('mine');
      await client.poll();
      expect(client.queued).toBe(0);
    });

    const isForced = engine === 'linux' && administersNetwork;
    const greedyGets = isForced ? 'all of too much with the privilege' : 'what the system allows when it was too much';
    test(`tells the granted buffers as they were asked for, and ${greedyGets}`, async () => {
      await using peer = await silentServer(family);
      await using modest = await openUdpConnection(peer.address, { recvBufferBytes: 100_000, sendBufferBytes: 50_000 });
      expect(modest.kernelBuffers).toEqual({ recvBytes: 100_000, sendBytes: 50_000 });
      await using greedy = await openUdpConnection(peer.address, {
        recvBufferBytes: 0x3fff_ffff,
        sendBufferBytes: 0x3fff_ffff,
      });
      if (isForced) expect(greedy.kernelBuffers).toEqual({ recvBytes: 0x3fff_ffff, sendBytes: 0x3fff_ffff });
      else {
        expect(greedy.kernelBuffers.recvBytes).toBeLessThan(0x3fff_ffff);
        expect(greedy.kernelBuffers.sendBytes).toBeLessThan(0x3fff_ffff);
      }
      expect(greedy.kernelBuffers.recvBytes).toBeGreaterThanOrEqual(100_000);
    });

    test('holds a burst of 4000 small datagrams in its default buffer, as far as the system allows that', async () => {
      await using server = await startUdpServer(local, { maxReadQueue: 4000 });
      await using client = await openUdpConnection(server.local);
      const room = Math.min(4000, Math.floor((server.kernelBuffers.recvBytes * 2) / 1300 / 2));
      expect(room).toBeGreaterThan(100);
      const { socket } = await silentServer(family);
      // All are sent in one round of the event loop, so that the server reads none meanwhile.
      for (let nth = 0; nth < room; nth += 1) socket.send(Buffer.alloc(200), server.local.port, host);
      await queuedIn(server, room);
      expect(server.queued).toBe(room);
      socket.close();
      await client.send('');
    });

    test('sends multicast from the interface it was told to', async () => {
      const all = Object.entries(networkInterfaces()).flatMap(([name, entries = []]) =>
        entries.filter((entry) => entry.family === `IPv${family}`).map((entry) => ({ name, ...entry })),
      );
      const own = all.find(({ internal, address }) => !internal && !address.startsWith('fe80')) ?? all[0]!;
      // The loopback interface of Linux has no route for IPv6 multicast.
      if (family === 6 && own.internal) return;
      const group = family === 4 ? '239.255.1.2' : 'ff15::1:2';
      await using client = await openUdpConnection(`${family === 4 ? group : `[${group}]`}:9`, {
        multicastInterface: own.name,
        ttl: 1,
        strays: 'receive',
      });
      expect(client.local.address).toBe(own.address);
    });
  });

  describe('options', () => {
    test.each<[string, object]>([
      ['maxReadQueue', { maxReadQueue: 0 }],
      ['maxReadQueue', { maxReadQueue: -1 }],
      ['maxReadQueue', { maxReadQueue: 1.5 }],
      ['maxReadQueue', { maxReadQueue: Infinity }],
      ['ttl', { ttl: 0 }],
      ['ttl', { ttl: 256 }],
      ['dscp', { dscp: -1 }],
      ['dscp', { dscp: 64 }],
      ['bindDevice', { bindDevice: 'no_such' }],
      ['engine', { engine: 'fast' }],
      ['recvBufferBytes', { recvBufferBytes: 0 }],
      ['sendBufferBytes', { sendBufferBytes: -5 }],
      ['multicastInterface', { multicastInterface: 'no_such' }],
      ['overflow', { overflow: 'drop' }],
      ['family', { family: 5 }],
      ['strays', { strays: 'maybe' }],
    ])('outside their range are INVALID_OPTION and named: %s in %j', async (name, options) => {
      const opening = [openUdpConnection('127.0.0.1:9', options)];
      if (name !== 'strays') opening.push(startUdpServer('127.0.0.1:0', options) as never);
      for (const open of opening) {
        const error = await datagramError(open);
        expect(error.code).toBe('INVALID_OPTION');
        expect(error.message).toContain(name);
      }
    });

    test('at the ends of their range are taken', async () => {
      for (const options of [
        { maxReadQueue: 1 },
        { maxReadQueue: Number.MAX_SAFE_INTEGER },
        { ttl: 1 },
        { ttl: 255 },
      ]) {
        await using server = await startUdpServer('127.0.0.1:0', options);
        await using client = await openUdpConnection(server.local, options);
        await client.send('x');
        expect(text((await server.recvfrom()).data)).toBe('x');
      }
    });

    if (engine === 'node') {
      test.each<[string, ServerOptions]>([
        ['ttl', { ttl: 5 }],
        ['dscp', { dscp: 46 }],
        ['dontFragment', { dontFragment: true }],
        ['bindDevice', { bindDevice: Object.keys(networkInterfaces())[0] }],
        ['reusePort', { reusePort: true }],
      ])(
        'that the engine cannot carry out are UNSUPPORTED: %s, for both families on one socket',
        async (name, options) => {
          const error = await datagramError(startUdpServer('*:0', options));
          expect(error.code).toBe('UNSUPPORTED');
          expect(error.message).toMatch(
            name === 'ttl' ? 'restrict the socket to one' : `cannot set ${name}; the linux engine can`,
          );
        },
      );

      test('for one family are carried out where those for both are not', async () => {
        await using server = await startUdpServer('*:0', { ttl: 5, family: 6 });
        expect(server.local.address).toBe('::');
      });
    }
  });

  describe('broadcast', () => {
    const forbidden = { code: 'BROADCAST_FORBIDDEN' };

    test('is forbidden without permission, to clients when they connect and to servers when they send', async () => {
      for (const address of ['255.255.255.255:9', '127.255.255.255:9']) {
        const error = await datagramError(openUdpConnection(address));
        expect(error).toMatchObject(forbidden);
        expect(error.message).toContain(address);
        await using server = await startUdpServer('0.0.0.0:0');
        expect(await datagramError(server.sendto('x', address))).toMatchObject(forbidden);
      }
    });

    test('reaches every socket on the network with permission, and the answers are received', async () => {
      await using server = await startUdpServer('0.0.0.0:0');
      await using client = await openUdpConnection(`127.255.255.255:${server.local.port}`, {
        broadcast: true,
        strays: 'receive',
      });
      await client.send('who is there?');
      const { data, remote } = await server.recvfrom();
      expect(text(data)).toBe('who is there?');
      await server.sendto('I am', remote);
      const { value } = await client.batches().next();
      expect(value?.map((datagram) => [text(datagram.data), datagram.remote.address])).toEqual([['I am', '127.0.0.1']]);
    });
  });

  const linkLocal = Object.entries(networkInterfaces())
    .flatMap(([name, entries = []]) => entries.map((entry) => ({ name, ...entry })))
    .find(({ address }) => address.startsWith('fe80:'));

  (linkLocal === undefined ? describe.skip : describe)('a link-local address', () => {
    const { name = '', address = '' } = linkLocal ?? {};

    test('is bound, shown and answered with its zone', async () => {
      await using server = await startUdpServer(`[${address}%${name}]:0`);
      expect(server.local.address).toBe(`${address}%${name}`);
      await using client = await openUdpConnection(formatEndpoint(server.local));
      await client.send('hello');
      const datagram = await server.recvfrom();
      expect(datagram.remote).toEqual(client.local);
      expect(datagram.remote.address).toBe(`${address}%${name}`);
      await server.sendto('answer', datagram.remote);
      expect(text(await client.recv())).toBe('answer');
    });
  });
});
