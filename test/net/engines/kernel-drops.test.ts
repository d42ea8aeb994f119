import { spawn, spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect, jest, test } from '@jest/globals';
import { type DatagramSocket, openUdpConnection, startUdpServer } from '../../../src/net/index.js';
import { readSockets, recentSockets } from '../../../src/net/engines/node/kernel-sockets.js';
import { type Family, silentServer, written } from '../../support/sockets.js';
import { kernelSocket } from '../../support/service.js';
import { testNeeding } from '../../support/needs.js';

const testWithProc = testNeeding('proc');

/** Options of a server whose kernel buffer is soon full. */
const SMALL = { recvBufferBytes: 8000, maxReadQueue: 10_000 } as const;

const loopback = (family: Family): string => (family === 6 ? '::1' : '127.0.0.1');

/** Datagrams that another process sends to a port of the loopback. */
interface Burst {
  readonly family: Family;
  readonly port: number;
  readonly count: number;
  readonly from?: number;
}

/** Sends from another process while this one is blocked and cannot receive. */
function burst(bursts: readonly Burst[]): void {
  const script = `
    const { createSocket } = require('node:dgram');
    for (const { family, port, count, from } of ${JSON.stringify(bursts)}) {
      const socket = createSocket({ type: 'udp' + family, reuseAddr: true });
      const host = family === 6 ? '::1' : '127.0.0.1';
      let left = count;
      const next = () => left-- > 0 ? socket.send('x', port, host, next) : socket.close();
      socket.bind(from ?? 0, host, next);
    }`;
  const { status, stderr } = spawnSync(process.execPath, ['-e', script]);
  if (status !== 0) throw new Error(stderr.toString());
}

/** Reads all datagrams that the kernel holds for a socket. Returns their number. */
async function readAll(socket: DatagramSocket): Promise<number> {
  await socket.poll();
  return socket.queued;
}

/** Opens a socket on a port of every interface that shares the port with others. */
async function sharing(family: Family, port: number): Promise<Socket & AsyncDisposable> {
  const socket = createSocket({ type: `udp${family}`, reuseAddr: true, ipv6Only: family === 6 });
  const listening = once(socket, 'listening');
  socket.bind(port);
  await listening;
  return socket;
}

describe.each([4, 6] as const)("the kernel's drops on IPv%i", (family) => {
  testWithProc('are none at first, and exactly what was sent and not received', async () => {
    await using server = await startUdpServer(written(loopback(family), 0), SMALL);
    expect(server.kernelDropped).toBe(0);
    burst([{ family, port: server.local.port, count: 300 }]);
    const dropped = server.kernelDropped!;
    expect(dropped).toBeGreaterThan(0);
    expect((await readAll(server)) + dropped).toBe(300);
    expect(kernelSocket(written(loopback(family), server.local.port)).drops).toBe(dropped);
  });

  test('are each its own of sixteen sockets', async () => {
    const servers = await Promise.all(
      Array.from({ length: 16 }, () => startUdpServer(written(loopback(family), 0), SMALL)),
    );
    burst(servers.map(({ local: { port } }, nth) => ({ family, port, count: nth * 20 })));
    for (const [nth, server] of servers.entries()) {
      expect((await readAll(server)) + server.kernelDropped!).toBe(nth * 20);
    }
    expect(servers.at(-1)!.kernelDropped).toBeGreaterThan(0);
    for (const server of servers) await server[Symbol.asyncDispose]();
  });

  testWithProc('can be asked for after the close, if they were before', async () => {
    const server = await startUdpServer(written(loopback(family), 0), SMALL);
    const { port } = server.local;
    expect(server.kernelDropped).toBe(0);
    burst([{ family, port, count: 300 }]);
    const { drops } = kernelSocket(written(loopback(family), port));
    server.close();
    await server.waitClosed();
    expect(server.kernelDropped).toBe(drops);
    expect(server.queued + drops).toBe(300);
  });

  test('are not looked for at the close when nobody asked', async () => {
    const server = await startUdpServer(written(loopback(family), 0));
    server.close();
    await server.waitClosed();
    expect(server.kernelDropped).toBeUndefined();
  });

  test('of a client are those of its peer and of strangers, which another socket hears', async () => {
    await using peer = await silentServer(family);
    await using client = await openUdpConnection(peer.address, { ...SMALL, strays: 'receive' });
    const { port } = client.local;
    burst([{ family, port, count: 300 }]);
    const ofStrangers = client.kernelDropped!;
    expect(ofStrangers).toBeGreaterThan(0);
    expect((await readAll(client)) + ofStrangers).toBe(300);
  });

  test('are known though another process, or another client of this one, has the port as well', async () => {
    await using peer = await silentServer(family);
    await using other = await silentServer(family);
    await using client = await openUdpConnection(peer.address, { strays: 'receive' });
    const { port } = client.local;
    const bound = `udp${family}`;
    const script = `require('node:dgram').createSocket({ type: '${bound}', reuseAddr: true }).bind(${port}, () => console.log('bound'))`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(child.stdout, 'data');
    await using twin = await sharing(family, port);
    const connected = once(twin, 'connect');
    twin.connect(other.port, loopback(family));
    await connected;
    try {
      expect(client.kernelDropped).toBe(0);
    } finally {
      child.kill();
      await once(child, 'close');
    }
  });

  test('cannot be known when another socket of this process has the same addresses', async () => {
    await using peer = await silentServer(family);
    await using client = await openUdpConnection(peer.address, { strays: 'receive' });
    await using twin = await sharing(family, client.local.port);
    expect(twin.address().port).toBe(client.local.port);
    expect(client.kernelDropped).toBeUndefined();
  });
});

test("the kernel's drops on a socket of both families count those of either", async () => {
  await using server = await startUdpServer('*:0', SMALL);
  const { port } = server.local;
  expect(server.kernelDropped).toBe(0);
  burst([
    { family: 4, port, count: 200 },
    { family: 6, port, count: 200 },
  ]);
  const dropped = server.kernelDropped!;
  expect(dropped).toBeGreaterThan(200);
  expect((await readAll(server)) + dropped).toBe(400);
});

test('the end of a server has everything read that a full buffer of the kernel holds', async () => {
  const server = await startUdpServer('127.0.0.1:0', { maxReadQueue: 30_000 });
  expect(server.kernelDropped).toBe(0);
  burst([{ family: 4, port: server.local.port, count: 20_000 }]);
  server.close();
  await server.waitClosed();
  expect(server.queued + server.kernelDropped!).toBe(20_000);
});

testWithProc('hundreds of sockets that are asked one after another share a reading of the table', async () => {
  const path = '/proc/net/udp';
  const servers = await Promise.all(Array.from({ length: 200 }, () => silentServer()));
  // A busy machine may stop this process between two calls for longer than the reading took.
  const isShared = Array.from({ length: 1000 }).some(() => recentSockets(path) === recentSockets(path));
  expect(isShared).toBe(true);
  expect(readSockets(path)).not.toBe(readSockets(path));
  expect(recentSockets(path)!.drops.size).toBeGreaterThanOrEqual(200);
  for (const server of servers) await server[Symbol.asyncDispose]();
});

testWithProc(
  "the kernel's drops are those of now, though the process was stopped during the last reading",
  async () => {
    await using server = await startUdpServer('127.0.0.1:0', SMALL);
    const hour = 3_600_000;
    let hours = 0;
    // Between any two looks at this clock an hour passes, as during a stop.
    const clock = jest.spyOn(performance, 'now').mockImplementation(() => (hours += 1) * hour);
    try {
      expect(server.kernelDropped).toBe(0);
    } finally {
      clock.mockRestore();
    }
    jest.spyOn(performance, 'now').mockReturnValue(hours * hour);
    try {
      burst([{ family: 4, port: server.local.port, count: 300 }]);
      const dropped = server.kernelDropped!;
      expect(dropped).toBeGreaterThan(0);
      expect((await readAll(server)) + dropped).toBe(300);
    } finally {
      jest.restoreAllMocks();
    }
  },
);
