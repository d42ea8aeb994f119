import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import type { Endpoint } from '../../src/net/index.js';
import { AmplificationGuard } from '../../src/relay/amplification-guard.js';
import { limitSessions } from '../../src/relay/limits.js';
import type { Viewer } from '../../src/relay/relay-events.js';
import { mostSocketsEach } from '../../src/relay/sessions.js';
import { describeEngines } from '../support/engines.js';
import { freeAddress, hostAndPort } from '../support/sockets.js';
import { echo, exchange, startRelay, unaccounted, until } from './relaying.js';

const LOCAL = '127.0.0.1:0';

/** An IPv4 address of this host beyond the loopback. */
function outerAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ internal, family }) => !internal && family === 'IPv4')?.address;
}

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  test('a session ends when nothing has gone either way for its timeout, and the next datagram opens another', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    await using running = await startRelay(engine, LOCAL, server.local, { sessionTimeout: 20 });
    const { relay, happened } = running;
    await using client = await openUdpConnection(relay.server.local);
    await client.send('a');
    await until(() => happened.ended.length === 1);
    expect(happened.ended[0]).toMatchObject({ number: 1, endReason: 'idle' });
    await client.send('b');
    await until(() => happened.opened.length === 2);
    expect(happened.opened.map(({ number }) => number)).toEqual([1, 2]);
  });

  test('a delayed datagram keeps its session open', async () => {
    await using server = await startUdpServer(LOCAL);
    const faults = { up: { delay: 200 }, down: {} };
    await using running = await startRelay(engine, LOCAL, server.local, { sessionTimeout: 10, faults });
    await using client = await openUdpConnection(running.relay.server.local);
    await client.send('a');
    await server.recvfrom();
    expect(running.happened.opened).toHaveLength(1);
    await until(() => running.happened.ended.length === 1);
    expect(running.happened.ended[0]!.counts.up).toMatchObject({ received: 1, sent: 1 });
  });

  test('a session ends after its responses, and its last answer is passed on', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    for (const faults of [
      { up: {}, down: {} },
      { up: {}, down: { delay: 20 } },
    ]) {
      await using running = await startRelay(engine, LOCAL, server.local, { responses: 2, faults });
      const { relay, happened } = running;
      await using client = await openUdpConnection(relay.server.local);
      expect(await exchange(client, ['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
      await until(() => happened.ended.length === 1);
      expect(happened.ended[0]).toMatchObject({ number: 1, endReason: 'responses' });
      expect(happened.ended[0]!.counts.down).toMatchObject({ received: 2, sent: 2 });
      expect(relay.sessions.table.size).toBe(1);
    }
  });

  test('clients beyond the limit get no session, are counted, and get one when another ends', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    await using running = await startRelay(engine, LOCAL, server.local, { max: 1 });
    const { relay, happened } = running;
    await using one = await openUdpConnection(relay.server.local);
    await using other = await openUdpConnection(relay.server.local);
    expect(await exchange(one, ['a'])).toEqual(['a']);
    await other.sendBatch(['b', 'c']);
    await until(() => relay.lanes.up.counts.lostBy('full') === 2);
    expect(happened.warned).toEqual(['full']);
    relay.sessions.end(relay.sessions.table.get(1)!, 'deleted');
    expect(await exchange(other, ['d'])).toEqual(['d']);
    expect(relay.sessions.table.peak).toBe(1);
    expect(happened.ended[0]).toMatchObject({ endReason: 'deleted' });
  });

  test('a rebinding gives a session a new port, and answers to the old one are still passed on', async () => {
    await using server = await startUdpServer(LOCAL);
    await using running = await startRelay(engine, LOCAL, server.local);
    const { relay, happened } = running;
    await using client = await openUdpConnection(relay.server.local);
    await client.send('from the old port');
    const { remote: old } = await server.recvfrom();
    await relay.sessions.rebind(relay.sessions.table.get(1)!);
    await client.send('from the new port');
    const { remote: fresh } = await server.recvfrom();
    expect(fresh.port).not.toBe(old.port);
    expect(happened.rebound[0]?.source).toEqual(fresh);
    await server.sendto('to the old port', old);
    expect(Buffer.from(await client.recv()).toString()).toBe('to the old port');
    await server.sendto('to the new port', fresh);
    expect(Buffer.from(await client.recv()).toString()).toBe('to the new port');
  });

  test('datagrams that the kernel dropped before a rebinding stay counted when the old port is closed', async () => {
    await using server = await startUdpServer(LOCAL);
    const sessionSocket = { recvBufferBytes: 4096, exactDrops: true };
    await using running = await startRelay(engine, LOCAL, server.local, { sessionSocket });
    const { relay } = running;
    await using client = await openUdpConnection(relay.server.local);
    await client.send('from the old port');
    const { remote: old } = await server.recvfrom();
    const answers = 500;
    await server.sendBatch(Array.from({ length: answers }, () => ({ data: Buffer.alloc(1000), remote: old })));
    const session = relay.sessions.table.get(1)!;
    await relay.sessions.rebind(session);
    while (session.former.length > 0) await setTimeout(10);
    await relay.endReceiving();
    await relay.close('end');
    const { count } = relay.sessions.kernelDropped();
    expect(count).toBeGreaterThan(0);
    expect(relay.lanes.down.counts.received + count).toBe(answers);
  });

  test('--rebind does that again and again', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    await using running = await startRelay(engine, LOCAL, server.local, { rebind: 10 });
    await using client = await openUdpConnection(running.relay.server.local);
    expect(await exchange(client, ['a'])).toEqual(['a']);
    await until(() => running.happened.rebound.length >= 3);
    expect(await exchange(client, ['b'])).toEqual(['b']);
  });

  test('a time of --rebind that is longer than the timers of Node is kept', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    await using running = await startRelay(engine, LOCAL, server.local, { rebind: 2 ** 31 });
    await using client = await openUdpConnection(running.relay.server.local);
    const payloads = Array.from({ length: 50 }, (_, nth) => `${nth}`);
    expect(await exchange(client, payloads)).toEqual(payloads);
    expect(running.happened.rebound).toEqual([]);
  });

  test('a datagram that leaves after the end of its session is shown with the address that it left from', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    const shown: (Endpoint | undefined)[] = [];
    const viewer: Viewer = {
      taken: () => Promise.resolve(),
      sent: (way, parcels) => {
        if (way === 'up') for (const { session } of parcels) shown.push(session.source);
        return Promise.resolve();
      },
    };
    // The second datagram takes half a second on the line. The answer to the first one ends the session before.
    const faults = { up: { bandwidth: 16_000, lineQueue: 60_000 }, down: {} };
    await using running = await startRelay(engine, LOCAL, server.local, { responses: 1, faults, viewer });
    await using client = await openUdpConnection(running.relay.server.local);
    await client.sendBatch(['a', 'x'.repeat(1000)]);
    await client.recv();
    await until(() => shown.length === 2);
    expect(shown[0]).toBeDefined();
    expect(shown[1]).toEqual(shown[0]);
    expect(running.happened.ended).toMatchObject([{ endReason: 'responses' }]);
  });

  test('answers of other ports are passed on only with any port, and then the client goes there', async () => {
    await using server = await startUdpServer(LOCAL);
    await using transfer = await startUdpServer(LOCAL);
    for (const anyPort of [undefined, true] as const) {
      await using running = await startRelay(engine, LOCAL, server.local, { anyPort });
      await using client = await openUdpConnection(running.relay.server.local);
      await client.send('request');
      const { remote } = await server.recvfrom();
      await transfer.sendto('data', remote);
      if (anyPort === undefined) await server.sendto('from the port asked', remote);
      const reply = Buffer.from(await client.recv()).toString();
      expect(running.happened.opened.map(({ source }) => source)).toEqual([remote]);
      expect(reply).toBe(anyPort === undefined ? 'from the port asked' : 'data');
      if (anyPort === undefined) continue;
      await client.send('acknowledged');
      const { data, remote: again } = await transfer.recvfrom();
      expect(Buffer.from(data).toString()).toBe('acknowledged');
      expect(again).toEqual(remote);
    }
  });

  test('a refusal by the target is told with its session, ends nothing and costs no datagram', async () => {
    const { port } = hostAndPort(await freeAddress());
    const target = { address: '127.0.0.1', port };
    await using running = await startRelay(engine, LOCAL, target);
    const { relay, happened } = running;
    await using client = await openUdpConnection(relay.server.local);
    await client.send('nobody there');
    await until(() => happened.refused.length > 0);
    expect(happened.refused[0]).toMatchObject({ session: { number: 1 }, error: { code: 'REFUSED', peer: target } });
    await using server = await startUdpServer(`127.0.0.1:${port}`);
    echo(server);
    expect(await exchange(client, ['a', 'b', 'c'])).toEqual(['a', 'b', 'c']);
    expect(relay.lanes.up.counts).toMatchObject({ received: 4, sent: 4, notSent: 0 });
    expect(happened.opened).toHaveLength(1);
  });

  test('a client whose target refuses goes on with the next address of the target, and so do new sessions', async () => {
    const { port } = hostAndPort(await freeAddress());
    const refusing = { address: '127.0.0.1', port };
    await using server = await startUdpServer(LOCAL);
    echo(server);
    await using running = await startRelay(engine, LOCAL, refusing);
    const { relay, happened } = running;
    relay.targets = [refusing, server.local];
    await using client = await openUdpConnection(relay.server.local);
    await client.send('nobody there');
    await until(() => happened.rebound.length === 1);
    expect(happened.rebound[0]).toMatchObject({ number: 1, target: server.local });
    expect(happened.retargeted).toEqual([server.local]);
    expect(await exchange(client, ['a', 'b'])).toEqual(['a', 'b']);
    await using other = await openUdpConnection(relay.server.local);
    expect(await exchange(other, ['c'])).toEqual(['c']);
    expect(happened.opened.map(({ target }) => target)).toEqual([server.local, server.local]);
    expect(happened.retargeted).toHaveLength(1);
  });

  test('new sessions go to the next address of a target whose first address cannot be reached', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    await using running = await startRelay(engine, LOCAL, server.local);
    const { relay, happened } = running;
    // Sending to a broadcast address needs --broadcast.
    const unreachable = { address: '255.255.255.255', port: 9 };
    relay.targets = [unreachable, server.local];
    await using client = await openUdpConnection(relay.server.local);
    await client.send('lost');
    await until(() => happened.retargeted.length === 1);
    expect(await exchange(client, ['a'])).toEqual(['a']);
  });

  const outer = outerAddress();
  const testOutside = outer === undefined ? test.skip : test;
  const why = outer === undefined ? ' (skipped: this host has no address beyond the loopback)' : '';
  testOutside(`a client beyond the loopback gets three times what it sent, until it has answered${why}`, async () => {
    await using server = await startUdpServer(LOCAL);
    for (const trusted of [{}, { amplify: true }, { allow: [{ address: outer!, prefixBits: 32 }] }] as const) {
      const bounds = !('amplify' in trusted || 'allow' in trusted);
      await using running = await startRelay(engine, `${outer}:0`, server.local, trusted);
      const { relay, happened } = running;
      await using client = await openUdpConnection(relay.server.local);
      await client.send('0123456789');
      const { remote } = await server.recvfrom();
      const sizes = [31, 20, 10, 1];
      await server.sendBatch(sizes.map((size) => ({ data: 'x'.repeat(size), remote })));
      const taken = bounds ? [20, 10] : sizes;
      for (const size of taken) expect(await client.recv()).toHaveLength(size);
      await until(() => relay.lanes.down.counts.received === sizes.length);
      expect(relay.lanes.down.counts.lostBy('amplification')).toBe(sizes.length - taken.length);
      expect(happened.warned).toEqual(bounds ? ['amplification'] : []);
      await client.send('!');
      await server.recvfrom();
      await server.sendto('x'.repeat(5000), remote);
      expect(await client.recv()).toHaveLength(5000);
      expect(unaccounted(relay)).toEqual([0, 0]);
    }
  });

  test('clients from new ports without end leave no descriptor and no session behind', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    await using running = await startRelay(engine, LOCAL, server.local, { responses: 2 });
    const { relay, happened } = running;
    const countOpen = (): number => readdirSync('/proc/self/fd').length;
    const ask = async (): Promise<void> => {
      await using client = await openUdpConnection(relay.server.local);
      expect(await exchange(client, ['a', 'b'])).toEqual(['a', 'b']);
    };
    await ask();
    await until(() => happened.ended.length === 1);
    const before = countOpen();
    for (let count = 0; count < 200; count += 1) await ask();
    await until(() => happened.ended.length === 201);
    await until(() => countOpen() <= before);
    expect(relay.sessions.table.size).toBe(0);
    expect(relay.sessions.opened).toBe(201);
    const sessions = happened.opened.map((session) => new WeakRef(session));
    happened.opened.length = 0;
    happened.ended.length = 0;
    // The watch for loops remembers the last 64 sessions.
    await until(() => {
      collectGarbage();
      return sessions.filter((session) => session.deref() !== undefined).length <= 64;
    });
  });

  test('only admitted clients are taken, at most at their rate, and up to the count', async () => {
    await using server = await startUdpServer(LOCAL);
    const options = { deny: [{ address: '127.0.0.2', prefixBits: 32 }], rateLimit: 3, count: 5 };
    await using running = await startRelay(engine, LOCAL, server.local, options);
    const { relay, happened } = running;
    await using denied = await openUdpConnection(relay.server.local, { localAddress: '127.0.0.2:0' });
    await denied.send('denied');
    await until(() => relay.admission.denied === 1);
    await using one = await openUdpConnection(relay.server.local);
    await one.sendBatch(['1', '2', '3', '4', '5']);
    await until(() => relay.admission.rateLimited === 2);
    await using other = await openUdpConnection(relay.server.local);
    await other.sendBatch(['6', '7', '8']);
    await until(() => happened.counted);
    expect(relay.lanes.up.counts.received).toBe(5);
  });

  test('two relays that point at each other are told, and the limit holds', async () => {
    await using server = await startUdpServer(LOCAL);
    await using one = await startRelay(engine, LOCAL, server.local, { max: 50 });
    await using two = await startRelay(engine, LOCAL, one.relay.server.local, { max: 50 });
    one.relay.targets = [two.relay.server.local];
    await using client = await openUdpConnection(one.relay.server.local);
    await client.send('round and round');
    await until(() => [one, two].some(({ happened }) => happened.warned.includes('loop')));
    expect([...one.happened.warned, ...two.happened.warned]).toContain('full');
    for (const { relay } of [one, two]) expect(relay.sessions.table.peak).toBeLessThanOrEqual(50);
  });
});

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  test('many clients that say the same are no loop', async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    await using running = await startRelay(engine, LOCAL, server.local, { max: 3 });
    const { relay, happened } = running;
    for (let count = 0; count < 3; count += 1) {
      await using client = await openUdpConnection(relay.server.local);
      expect(await exchange(client, ['the same'])).toEqual(['the same']);
    }
    await using fourth = await openUdpConnection(relay.server.local);
    await fourth.send('the same');
    await until(() => happened.warned.includes('full'));
    expect(happened.warned).toEqual(['full']);
  });
});

describe('a client whose address may be forged', () => {
  test('gets three times what it sent, until it sends after an answer', () => {
    const guard = new AmplificationGuard();
    guard.received(100);
    expect(guard.admits(200)).toBe(true);
    expect(guard.admits(101)).toBe(false);
    expect(guard.admits(100)).toBe(true);
    expect(guard.isProven).toBe(false);
    guard.received(1);
    expect(guard.isProven).toBe(true);
    expect(guard.admits(1_000_000)).toBe(true);
  });

  test('has not answered if it sent everything before its first answer', () => {
    const guard = new AmplificationGuard();
    guard.received(100);
    guard.received(100);
    expect(guard.isProven).toBe(false);
    expect(guard.admits(600)).toBe(true);
    expect(guard.admits(1)).toBe(false);
  });
});

test('the sessions are held against the limits of the system', () => {
  expect(limitSessions(10, 1)).toEqual({ most: 10, why: undefined });
  const { most, why } = limitSessions(1_000_000, 1);
  expect(most).toBeLessThan(100_000);
  expect(why).toMatch(/descriptors \(ulimit -n\)|ip_local_port_range/);
  expect(limitSessions(1_000_000, 2).most).toBe(Math.floor(most / 2));
  // A port is kept for a second after a rebinding.
  expect([undefined, 60_000, 1000, 999, 100].map(mostSocketsEach)).toEqual([1, 2, 2, 3, 11]);
});
