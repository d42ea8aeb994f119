import { EventEmitter, getEventListeners } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { type AddressLike, type DatagramSocketOptions, formatEndpoint } from '../../src/net/index.js';
import { datagramError, queuedIn, text } from '../support/net.js';
import { type Family, silentServer } from '../support/sockets.js';
import { describeEngines } from '../support/engines.js';
import { startFlooder } from '../support/flooder.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

const FAMILIES: readonly { family: Family; host: string; local: string }[] = [
  { family: 4, host: '127.0.0.1', local: '127.0.0.1:0' },
  { family: 6, host: '::1', local: '[::1]:0' },
];

/** How many datagrams an engine reads at once at most. It checks the bound of the queue between two reads. */
const READ_TOGETHER = 64;

/** Returns how many sockets this process has open. */
function openSockets(): number {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith('socket:');
    } catch {
      // The descriptor of the folder itself is closed by now.
      return false;
    }
  }).length;
}

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  async function isFree(address: AddressLike): Promise<boolean> {
    await using server = await startUdpServer(address);
    return server.local.port > 0;
  }

  describe.each(FAMILIES)('close() on IPv$family', ({ family, host, local }) => {
    test('sends what is under way: a batch, and a sendto that was just called by endpoint, text or name', async () => {
      await using peer = await silentServer(family);
      const server = await startUdpServer(local);
      const remote = { address: host, port: peer.port };
      const batch = Array.from({ length: 500 }, (_, nth) => ({ data: Buffer.from(String(nth)), remote }));
      const sends = [
        server.sendBatch(batch),
        server.sendto('endpoint', remote),
        server.sendto('text', peer.address),
        ...(family === 4 ? [server.sendto('name', `localhost:${peer.port}`)] : []),
      ];
      server.close();
      await server.waitClosed();
      await Promise.all(sends);
      const received = (await peer.collect(499 + sends.length)).map(({ data }) => data.toString());
      expect(received.slice(0, 500)).toEqual(batch.map(({ data }) => data.toString()));
      expect(received.slice(500)).toEqual(['endpoint', 'text', 'name'].slice(0, sends.length - 1));
    });

    test('is done under a flood, and gives no more than was in the kernel when it was called', async () => {
      const server = await startUdpServer(local, { recvBufferBytes: 200_000 });
      const { recvBytes } = server.kernelBuffers;
      await using flooder = await startFlooder({ bytes: 1000, host: server.local.address });
      flooder.flood(formatEndpoint(server.local));
      await server.recvfrom();
      const queued = server.queued;
      const most = queued + (2 * recvBytes) / 1000 + READ_TOGETHER;
      server.close();
      let given = 0;
      for await (const batch of server.batches()) given += batch.length;
      await server.waitClosed();
      expect(given).toBeLessThanOrEqual(most);
      await flooder.ended;
    });

    test('after stopReceiving() leaves what is queued to be read, counts what came after it, and sends', async () => {
      await using peer = await silentServer(family);
      const client = await openUdpConnection(peer.address);
      const to = formatEndpoint(client.local);
      await peer.send('before', to);
      while (client.queued === 0) await client.poll();
      client.stopReceiving();
      await peer.send('after', to);
      while (client.discarded === 0) await client.poll(1000);
      await client.send('still');
      client.close();
      await client.waitClosed();
      expect(text(await client.recv())).toBe('before');
      expect(client.discarded).toBe(1);
      expect((await peer.collect(1)).map(({ data }) => data.toString())).toEqual(['still']);
    });

    test('sends what a client has under way', async () => {
      await using peer = await silentServer(family);
      const client = await openUdpConnection(peer.address);
      const sends = [client.send('one'), client.sendBatch([Buffer.from('two'), Buffer.from('three')])];
      client.close();
      await client.waitClosed();
      await Promise.all(sends);
      expect((await peer.collect(3)).map(({ data }) => data.toString())).toEqual(['one', 'two', 'three']);
    });

    test('lets what has arrived be read, in the kernel too, and then ends every way of receiving', async () => {
      const server = await startUdpServer(local, { maxReadQueue: 2000 });
      await using client = await openUdpConnection(server.local);
      const payloads = Array.from({ length: 1000 }, (_, nth) => Buffer.from(String(nth)));
      await client.sendBatch(payloads);
      server.close();
      await server.waitClosed();
      const received = [text((await server.recvfrom()).data)];
      for await (const { data } of server) received.push(text(data));
      expect(received).toEqual(payloads.map(String));
      expect((await datagramError(server.recvfrom())).code).toBe('CLOSED');
      expect((await server.batches().next()).done).toBe(true);
    });

    test('settles every receive that waits, and rejects what comes later with CLOSED', async () => {
      const server = await startUdpServer(local);
      const client = await openUdpConnection(server.local);
      const waiting = [server.recvfrom(), server.recvfrom(), client.recv()].map(datagramError);
      const loops = [server[Symbol.asyncIterator]().next(), client.batches().next()];
      server.close();
      client.close();
      expect((await Promise.all(waiting)).map(({ code }) => code)).toEqual(['CLOSED', 'CLOSED', 'CLOSED']);
      expect((await Promise.all(loops)).map(({ done }) => done)).toEqual([true, true]);
      const remote = { address: host, port: 9 };
      const late = [server.sendto('x', remote), server.sendBatch([]), client.send('x'), client.sendBatch([])];
      expect((await Promise.all(late.map(datagramError))).map(({ code }) => code)).toEqual(Array(4).fill('CLOSED'));
      await Promise.all([server.waitClosed(), client.waitClosed()]);
    });

    test('may be called twice, before and after abort(), and frees the port', async () => {
      for (const end of [
        ['close', 'close'],
        ['abort', 'abort'],
        ['close', 'abort'],
        ['abort', 'close'],
      ] as const) {
        const server = await startUdpServer(local);
        for (const how of end) server[how]();
        await server.waitClosed();
        await server.waitClosed();
        server.close();
        server.abort();
        expect(await isFree(server.local)).toBe(true);
      }
    });

    test('is called by await using, which waits until the port is free', async () => {
      let port: number;
      {
        await using server = await startUdpServer(local);
        ({ port } = server.local);
        expect((await datagramError(startUdpServer({ address: host, port }))).code).toBe('OPEN_FAILED');
      }
      expect(await isFree({ address: host, port })).toBe(true);
    });

    test('does not wait for a flood to end', async () => {
      const server = await startUdpServer(local, { maxReadQueue: 10, recvBufferBytes: 10_000 });
      await using client = await openUdpConnection(server.local);
      const flooding = { goesOn: true };
      const flood = (async () => {
        while (flooding.goesOn) await client.sendBatch(Array.from({ length: 200 }, () => Buffer.from('x')));
      })();
      await queuedIn(server, engine === 'node' ? 100 : 10);
      server.close();
      await server.waitClosed();
      flooding.goesOn = false;
      await flood;
      // The datagrams that the linux engine left in the kernel's small buffer are read too.
      expect(server.queued).toBeGreaterThanOrEqual(10);
      expect(server.queued).toBeLessThanOrEqual(engine === 'node' ? 10 : 10_000);
    });
  });

  describe.each(FAMILIES)('abort() on IPv$family', ({ family, host, local }) => {
    test('gives up what is being sent, which rejects or fails with CLOSED', async () => {
      await using peer = await silentServer(family);
      const server = await startUdpServer(local);
      const remote = { address: host, port: peer.port };
      const batch = server.sendBatch(Array.from({ length: 1000 }, (_, nth) => ({ data: Buffer.alloc(nth), remote })));
      const later = server.sendto('later', remote);
      server.abort();
      expect((await datagramError(later)).code).toBe('CLOSED');
      const failures = await batch;
      expect(failures.length).toBeGreaterThan(900);
      expect(new Set(failures.map(({ error }) => error.code))).toEqual(new Set(['CLOSED']));
      await server.waitClosed();
    });

    test('gives up what is queued, and ends receiving', async () => {
      const server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local);
      await client.send('x');
      await queuedIn(server, 1);
      server.abort();
      expect(server.queued).toBe(0);
      expect((await datagramError(server.recvfrom())).code).toBe('CLOSED');
      await server.waitClosed();
      expect(await isFree(server.local)).toBe(true);
    });
  });

  describe('a signal', () => {
    const open: readonly [
      string,
      (options: DatagramSocketOptions) => ReturnType<typeof openUdpConnection | typeof startUdpServer>,
    ][] = [
      ['a server', (options) => startUdpServer('127.0.0.1:0', options)],
      ['a client', (options) => openUdpConnection('127.0.0.1:9', options)],
      [
        'a client that hears strangers',
        (options) => openUdpConnection('127.0.0.1:9', { ...options, strays: 'report' }),
      ],
      ['a client of a name', (options) => openUdpConnection('localhost:9', options)],
    ];

    testWithProc.each(open)('that is aborted already opens nothing: %s', async (_what, start) => {
      const before = openSockets();
      const aborted = AbortSignal.abort('too late');
      await expect(start({ signal: aborted })).rejects.toBe('too late');
      expect(openSockets()).toBe(before);
      expect(getEventListeners(aborted, 'abort')).toHaveLength(0);
    });

    testWithProc.each(open)(
      'that is aborted while it opens leaves nothing open, and no listener: %s',
      async (_what, start) => {
        const before = openSockets();
        const controller = new AbortController();
        const opening = start({ signal: controller.signal });
        controller.abort('stop');
        await expect(opening).rejects.toBe('stop');
        expect(openSockets()).toBe(before);
        expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
      },
    );

    test.each(open)('aborts what is open, and its listener is removed at the end: %s', async (_what, start) => {
      const controller = new AbortController();
      const socket = await start({ signal: controller.signal });
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(1);
      const waiting = socket.batches().next();
      controller.abort();
      expect((await waiting).done).toBe(true);
      await socket.waitClosed();
      expect(getEventListeners(controller.signal, 'abort')).toHaveLength(0);
    });

    testWithProc.each(open)(
      'gathers no listeners and no descriptors over many objects that come and go: %s',
      async (_what, start) => {
        const { signal } = new AbortController();
        const before = openSockets();
        for (let nth = 0; nth < 300; nth += 1) {
          const socket = await start({ signal });
          if (nth % 2 === 0) socket.close();
          else socket.abort();
          await socket.waitClosed();
        }
        expect(getEventListeners(signal, 'abort')).toHaveLength(0);
        expect(openSockets()).toBe(before);
      },
    );

    testWithProc('leaves no socket behind when an opening fails', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      const { signal } = new AbortController();
      const before = openSockets();
      for (let nth = 0; nth < 100; nth += 1) {
        await datagramError(startUdpServer(server.local, { signal }));
        await datagramError(openUdpConnection('255.255.255.255:9', { signal, strays: 'report' }));
        await datagramError(openUdpConnection('127.0.0.1:9', { signal, strays: 'report', localAddress: server.local }));
      }
      expect(openSockets()).toBe(before);
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });

    test('gives up one receive: the datagram goes to the next, and the object stays open', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using client = await openUdpConnection(server.local);
      const controller = new AbortController();
      const { signal } = controller;
      const given = [server.recvfrom({ signal }), server.batches({ signal }).next(), client.recv({ signal })];
      const next = server.recvfrom();
      controller.abort('given up');
      for (const one of given) await expect(one).rejects.toBe('given up');
      await client.send('hello');
      const datagram = await next;
      expect(text(datagram.data)).toBe('hello');
      await server.sendto('answer', datagram.remote);
      expect(text(await client.recv())).toBe('answer');
      expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    });
  });

  describe.each(FAMILIES)('reading in a loop on IPv$family', ({ local }) => {
    test('goes on where it was left, loses nothing, and leaves the object open', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local);
      await client.sendBatch(['a', 'b', 'c', 'd'].map((data) => Buffer.from(data)));
      await queuedIn(server, 4);
      const read: string[] = [];
      for await (const { data } of server) {
        read.push(text(data));
        if (read.length === 2) break;
      }
      read.push(text((await server.recvfrom()).data));
      for await (const batch of server.batches()) {
        read.push(...batch.map(({ data }) => text(data)));
        break;
      }
      expect(read).toEqual(['a', 'b', 'c', 'd']);
      await client.send('e');
      expect(text((await server.recvfrom()).data)).toBe('e');
    });

    test('works on a client too, payload by payload', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local);
      await client.send('hello');
      const { remote } = await server.recvfrom();
      for (const data of ['a', '', 'c']) await server.sendto(data, remote);
      const read: string[] = [];
      for await (const data of client) {
        read.push(text(data));
        if (read.length === 3) break;
      }
      expect(read).toEqual(['a', '', 'c']);
    });

    test('serves several receivers in the order in which they came', async () => {
      await using server = await startUdpServer(local);
      await using client = await openUdpConnection(server.local);
      const waiting = Array.from({ length: 5 }, () => server.recvfrom());
      await client.sendBatch(['0', '1', '2', '3', '4'].map((data) => Buffer.from(data)));
      expect((await Promise.all(waiting)).map(({ data }) => text(data))).toEqual(['0', '1', '2', '3', '4']);
    });

    test('ends without an error when the object is closed meanwhile', async () => {
      const server = await startUdpServer(local);
      const reading = (async () => {
        for await (const datagram of server) throw new Error(`nothing was sent, but ${text(datagram.data)} came`);
        return 'ended';
      })();
      server.close();
      expect(await reading).toBe('ended');
      await server.waitClosed();
    });
  });

  describe('a socket', () => {
    test('is an event emitter that emits no error, so that none has to be listened for', async () => {
      await using client = await openUdpConnection('127.0.0.1:9');
      expect(client).toBeInstanceOf(EventEmitter);
      expect(client.listenerCount('peerError')).toBe(0);
      expect(formatEndpoint(client.remote)).toBe('127.0.0.1:9');
    });
  });
});
