import { describe, expect, test } from '@jest/globals';
import { activeFaults } from '../../src/faults/active-fault.js';
import type { FaultSettings } from '../../src/faults/table.js';
import { type DatagramServer, type Endpoint, type Run, sameEndpoint } from '../../src/net/index.js';
import type { Way } from '../../src/relay/plan.js';
import { describeEngines } from '../support/engines.js';
import { exchange, startRelay, unaccounted, until } from './relaying.js';

const LOCALS = [
  [4, '127.0.0.1:0'],
  [6, '[::1]:0'],
] as const;

/** Echoes with `answer N: ` before each payload until the server is closed. Returns the senders in order of their first datagram. */
function answering(server: DatagramServer): Endpoint[] {
  const senders: Endpoint[] = [];
  const answer = async (): Promise<void> => {
    for await (const batch of server.batches()) {
      for (const { remote } of batch) if (!senders.some((one) => sameEndpoint(one, remote))) senders.push(remote);
      await server.sendBatch(batch.map(({ data, remote, local }) => ({ data, remote, local })));
    }
  };
  // It ends when the server is closed.
  answer().catch(() => undefined);
  return senders;
}

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  describe.each(LOCALS)('a relay over IPv%i', (_family, local) => {
    test('gives each client a source of its own, and passes datagrams of every size both ways, in order', async () => {
      await using server = await startUdpServer(local);
      const senders = answering(server);
      await using running = await startRelay(engine, local, server.local);
      const { relay, happened } = running;
      await using one = await openUdpConnection(relay.server.local);
      await using other = await openUdpConnection(relay.server.local);
      const payloads = ['first', '', 'x'.repeat(60_000), 'last'];
      expect(await exchange(one, payloads)).toEqual(payloads);
      expect(await exchange(other, payloads)).toEqual(payloads);
      expect(senders).toHaveLength(2);
      expect(happened.opened.map(({ client }) => client)).toEqual([one.local, other.local]);
      expect(happened.opened.map(({ source }) => source)).toEqual(senders);
      for (const { counts } of Object.values(relay.lanes)) expect(counts).toMatchObject({ received: 8, sent: 8 });
      expect(unaccounted(relay)).toEqual([0, 0]);
    });

    test('passes runs of many clients on whole, both ways, from the first datagram on', async () => {
      await using server = await startUdpServer(local, { recvBufferBytes: 8_000_000 });
      answering(server);
      await using running = await startRelay(engine, local, server.local);
      const options = { maxReadQueue: 100_000 };
      const clients = await Promise.all(
        Array.from({ length: 5 }, () => openUdpConnection(running.relay.server.local, options)),
      );
      const rounds = await Promise.all(
        clients.map(async (client, of) => {
          const sent: string[] = [];
          const received: string[] = [];
          for (let round = 0; round < 10; round += 1) {
            const payloads = Array.from({ length: 30 }, (_, nth) => `${of} ${round} ${nth}`.padEnd(300, `${of}`));
            sent.push(...payloads);
            await client.sendBatch(payloads);
            for await (const batch of client.batches()) {
              received.push(...batch.map(({ data }) => Buffer.from(data).toString()));
              if (received.length === sent.length) break;
            }
          }
          await client[Symbol.asyncDispose]();
          return { sent, received };
        }),
      );
      for (const { sent, received } of rounds) expect(received).toEqual(sent);
      expect(unaccounted(running.relay)).toEqual([0, 0]);
    });

    test('passes on what comes all at once, both ways, and accounts for it', async () => {
      await using server = await startUdpServer(local, { recvBufferBytes: 8_000_000 });
      answering(server);
      await using running = await startRelay(engine, local, server.local);
      await using client = await openUdpConnection(running.relay.server.local, { maxReadQueue: 100_000 });
      const payloads = Array.from({ length: 1000 }, (_, nth) => `${nth}`.padStart(100, '-'));
      await client.sendBatch(payloads);
      const replies: string[] = [];
      for await (const batch of client.batches()) {
        replies.push(...batch.map(({ data }) => Buffer.from(data).toString()));
        if (replies.length === payloads.length) break;
      }
      expect(replies).toEqual(payloads);
      expect(unaccounted(running.relay)).toEqual([0, 0]);
    });
  });

  test('passes IPv6 clients on to an IPv4 server, and IPv4 clients to an IPv6 server', async () => {
    for (const [local, target] of [
      ['[::1]:0', '127.0.0.1:0'],
      ['127.0.0.1:0', '[::1]:0'],
    ] as const) {
      await using server = await startUdpServer(target);
      answering(server);
      await using running = await startRelay(engine, local, server.local);
      await using client = await openUdpConnection(running.relay.server.local);
      expect(await exchange(client, ['a', 'b'])).toEqual(['a', 'b']);
    }
  });

  test('on every interface, answers from the address that the client asked', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    answering(server);
    await using running = await startRelay(engine, '*:0', server.local);
    const { port } = running.relay.server.local;
    // The client is connected: it hears only the address that it asked.
    const addresses = engine === 'linux' ? ['127.0.0.1', '127.0.0.77', '::1'] : ['127.0.0.1', '::1'];
    for (const address of addresses) {
      await using client = await openUdpConnection({ address, port });
      expect(await exchange(client, [address])).toEqual([address]);
    }
    expect(running.relay.sessions.opened).toBe(addresses.length);
  });

  const clear = { up: {}, down: {} };
  const only = (way: Way, settings: FaultSettings) => ({ ...clear, [way]: settings });

  describe.each(['up', 'down'] as const)('faults %s', (way) => {
    const other: Way = way === 'up' ? 'down' : 'up';

    /** Sends datagrams one after another to a server that answers each, and waits until everything has been decided. */
    async function relayed(settings: FaultSettings, count = 20, payload = (nth: number): string => `datagram ${nth}`) {
      await using server = await startUdpServer('127.0.0.1:0');
      answering(server);
      await using running = await startRelay(engine, '127.0.0.1:0', server.local, { faults: only(way, settings) });
      const { relay } = running;
      await using client = await openUdpConnection(relay.server.local);
      const received: string[] = [];
      void (async () => {
        for await (const data of client) received.push(Buffer.from(data).toString());
      })();
      for (let nth = 0; nth < count; nth += 1) {
        await client.send(payload(nth));
        await until(() => relay.lanes.up.counts.received > nth);
      }
      await relay.passedOn('up');
      await until(() => relay.lanes.down.counts.received >= relay.lanes.up.counts.sent);
      await relay.passedOn('down');
      await until(() => received.length >= relay.lanes.down.counts.sent);
      expect(unaccounted(relay)).toEqual([0, 0]);
      expect(relay.lanes[other].counts).toMatchObject({ lost: 0, duplicates: 0, notSent: 0 });
      return { counts: relay.lanes[way].counts, received };
    }

    test('lose by probability, number, size and time', async () => {
      const losing: FaultSettings[] = [
        { loss: 1 },
        { burstLoss: { p: 1, r: 0, k: 0, h: 0 } },
        { maxSize: 9 },
        { blackhole: [{ fromMs: 0, toMs: Infinity }] },
        { lose: [{ from: 1, to: 20 }] },
      ];
      for (const settings of losing) {
        const { counts, received } = await relayed(settings);
        const [name = ''] = Object.keys(settings);
        expect(counts.lostBy(name as 'loss')).toBe(20);
        expect(received).toEqual([]);
      }
    });

    test('lose the datagrams with given numbers of each session', async () => {
      const { received } = await relayed({ lose: [{ from: 2, to: 3 }, { from: 5, to: 5 }] }, 6); // prettier-ignore
      expect(received).toEqual(['datagram 0', 'datagram 3', 'datagram 5']);
    });

    test('duplicate', async () => {
      const { counts, received } = await relayed({ duplicate: 1 }, 5);
      expect(counts).toMatchObject({ received: 5, duplicates: 5, sent: 10, lost: 0 });
      expect(received).toHaveLength(10);
    });

    test('corrupt and truncate', async () => {
      const { received } = await relayed({ corrupt: 1, truncate: 1 }, 10);
      expect(received).toHaveLength(10);
      expect(received.filter((text) => text.startsWith('datagram '))).toEqual([]);
    });

    test('delay, and send by a line', async () => {
      const startMs = performance.now();
      // 16 bits a millisecond: 10 + 28 bytes take 19 ms.
      const { received } = await relayed({ delay: 30, bandwidth: 16_000, lineQueue: 60_000 }, 5);
      expect(received).toHaveLength(5);
      expect(performance.now() - startMs).toBeGreaterThanOrEqual(30 + 5 * 19);
    });

    test('reorder', async () => {
      const { received } = await relayed({ reorder: 1 }, 3);
      expect(received.sort()).toEqual(['datagram 0', 'datagram 1', 'datagram 2']);
    });
  });

  test('the same seed gives the same losses, however the datagrams of sessions mix', async () => {
    async function losses(seed: number, order: readonly number[]): Promise<string[]> {
      await using server = await startUdpServer('127.0.0.1:0');
      const heard = [0, 1, 2].map(() => [] as string[]);
      await using running = await startRelay(engine, '127.0.0.1:0', server.local, {
        faults: { up: { loss: 0.5 }, down: {} },
        seed,
      });
      const { relay } = running;
      const clients = await Promise.all([0, 1, 2].map(() => openUdpConnection(relay.server.local)));
      let sent = 0;
      for (const which of [0, 1, 2, ...order]) {
        await clients[which]!.send(`${which}`);
        sent += 1;
        await until(() => relay.lanes.up.counts.received === sent);
      }
      await relay.passedOn('up');
      const numbers = [...relay.sessions.table].map(({ counts }) => counts.up.lost);
      let left = relay.lanes.up.counts.sent;
      while (left > 0) {
        const { data } = await server.recvfrom();
        heard[Number(Buffer.from(data).toString())]!.push('x');
        left -= 1;
      }
      for (const client of clients) client.close();
      return heard.map(({ length }, which) => `${length} ${numbers[which]}`);
    }
    const rounds = Array.from({ length: 20 }, () => [0, 1, 2]).flat();
    const oneAfterAnother = [...rounds].sort((a, b) => a - b);
    expect(await losses(3, oneAfterAnother)).toEqual(await losses(3, rounds));
    expect(await losses(4, rounds)).not.toEqual(await losses(3, rounds));
  });

  test('the counts hold under a flood both ways with every fault', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    answering(server);
    const faults: FaultSettings = {
      delay: 2,
      jitter: { ms: 2, distribution: 'uniform' },
      loss: 0.1,
      burstLoss: { p: 0.05, r: 0.5, k: 1, h: 0 },
      duplicate: 0.2,
      reorder: 0.1,
      corrupt: 0.1,
      truncate: 0.1,
      maxSize: 900,
      bandwidth: 200e6,
      lineQueue: 5,
    };
    await using running = await startRelay(engine, '127.0.0.1:0', server.local, {
      faults: { up: faults, down: faults },
    });
    const { relay, happened } = running;
    const clients = await Promise.all(Array.from({ length: 5 }, () => openUdpConnection(relay.server.local)));
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(
        clients.map((client) =>
          client.sendBatch(Array.from({ length: 50 }, (_, nth) => 'x'.repeat((nth * 40) % 1000))),
        ),
      );
    }
    await relay.endReceiving();
    await Promise.all([relay.passedOn('up'), relay.passedOn('down')]);
    expect(unaccounted(relay)).toEqual([0, 0]);
    for (const way of ['up', 'down'] as const) {
      const sessions = [...relay.sessions.table].map(({ counts }) => counts[way]);
      const { received, duplicates, sent, lost, notSent } = relay.lanes[way].counts;
      const sum = (pick: (one: (typeof sessions)[number]) => number): number =>
        sessions.reduce((total, one) => total + pick(one), 0);
      expect([received, duplicates, sent, lost, notSent]).toEqual([
        sum((one) => one.received),
        sum((one) => one.duplicates),
        sum((one) => one.sent),
        sum((one) => one.lost),
        sum((one) => one.notSent),
      ]);
    }
    expect(relay.lanes.up.counts.received + happened.dropped + (relay.kernelDropped ?? 0)).toBeGreaterThanOrEqual(5000);
    for (const client of clients) client.close();
  });

  test('what is delayed leaves at the end, and what is cut counts as not sent', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    await using running = await startRelay(engine, '127.0.0.1:0', server.local, {
      faults: { up: { delay: 3_600_000 }, down: {} },
    });
    const { relay, happened } = running;
    await using client = await openUdpConnection(relay.server.local);
    await client.sendBatch(['a', 'b', 'c']);
    await until(() => relay.lanes.up.counts.received === 3);
    expect(unaccounted(relay)).toEqual([3, 0]);
    relay.cut(performance.now() + 1000);
    await relay.passedOn('up');
    expect(relay.lanes.up.counts).toMatchObject({ received: 3, sent: 0, notSent: 3 });
    await relay.close('end');
    expect(happened.ended.map(({ endReason, counts }) => [endReason, counts.up.notSent])).toEqual([['end', 3]]);
  });

  test('faults can change while the relay runs', async () => {
    await using server = await startUdpServer('127.0.0.1:0');
    answering(server);
    await using running = await startRelay(engine, '127.0.0.1:0', server.local);
    const { relay } = running;
    await using client = await openUdpConnection(relay.server.local);
    expect(await exchange(client, ['before'])).toEqual(['before']);
    relay.faults = { up: activeFaults({ loss: 1 }), down: [] };
    await client.send('lost');
    await until(() => relay.lanes.up.counts.lostBy('loss') === 1);
    relay.faults = { up: [], down: [] };
    expect(await exchange(client, ['after'])).toEqual(['after']);
    expect(relay.faults).toEqual({ up: [], down: [] });
  });

  if (engine === 'linux') {
    test('a run is passed on as a run, both ways', async () => {
      await using server = await startUdpServer('127.0.0.1:0');
      await using running = await startRelay(engine, '127.0.0.1:0', server.local);
      await using client = await openUdpConnection(running.relay.server.local);
      const payloads = Array.from({ length: 16 }, (_, nth) => `${nth}`.padStart(nth === 15 ? 40 : 100, '-'));
      const reading = server.runs()[Symbol.asyncIterator]().next();
      await client.sendBatch(payloads);
      const [run] = ((await reading).value ?? []) as Run[];
      expect(run).toMatchObject({ count: 16, segmentBytes: 100 });
      const answer = client.runs()[Symbol.asyncIterator]().next();
      await server.sendRuns([{ data: run!.bytes, segmentBytes: 100, remote: run!.remote }]);
      const [back] = ((await answer).value ?? []) as Run[];
      expect(back).toMatchObject({ count: 16, segmentBytes: 100 });
      expect(Buffer.from(back!.bytes).toString()).toBe(payloads.join(''));
    });
  }
});
