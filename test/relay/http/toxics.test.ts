/** What each type of toxics does to datagrams. */
import { describe, expect, test } from '@jest/globals';
import { type DatagramClient, openUdpConnection } from '../../../src/net/index.js';
import { type RelayRun, type SessionJson, startRelayRun, type WayJson } from '../../support/relaying-http.js';
import { echoServer, silentServer } from '../../support/sockets.js';

const TOXICS = '/proxies/relay/toxics';

/** Adds a toxic upstream. */
async function add(run: RelayRun, type: string, attributes: object, more: object = {}): Promise<void> {
  const reply = await run.api('POST', TOXICS, { type, stream: 'upstream', attributes, ...more });
  expect(reply).toMatchObject({ status: 200 });
}

const remove = (run: RelayRun, type: string) => run.api('DELETE', `${TOXICS}/${type}_upstream`);

/** Sends datagrams one after another. */
async function send(client: DatagramClient, ...payloads: readonly (string | Uint8Array)[]): Promise<void> {
  for (const payload of payloads) await client.send(payload);
}

/** The counts of a session, as /sessions has them. Waits until the relay has taken as many datagrams. */
async function countsOf(run: RelayRun, received: number, session = 1): Promise<WayJson> {
  for (;;) {
    const { json } = await run.api<SessionJson[]>('GET', '/sessions');
    const found = json.find((each) => each.session === session);
    if (found?.up.received === received) return found.up;
  }
}

async function start(...args: readonly string[]) {
  const server = await silentServer();
  const run = await startRelayRun(['127.0.0.1:0', server.address, '--seed', '1', ...args]);
  const client = await openUdpConnection(run.address);
  return {
    server,
    run,
    client,
    [Symbol.asyncDispose]: async () => {
      client.close();
      await run.end();
      await server[Symbol.asyncDispose]();
    },
  };
}

describe('a toxic loses', () => {
  test.each<[string, object, string]>([
    ['timeout', { timeout: 0 }, 'blackhole'],
    ['timeout', { timeout: 600_000 }, 'blackhole'],
    ['packet_loss', { loss_rate: 1 }, 'loss'],
    ['packet_loss', { loss_rate: '100%' }, 'loss'],
    ['burst_loss', { burst_loss: '100%:0%:0%' }, 'burstLoss'],
    ['max_size', { max_size: 2 }, 'maxSize'],
    ['lose', { lose: '1..3' }, 'lose'],
    ['lose', { lose: [1, '2..3'] }, 'lose'],
    ['limit_data', { bytes: 2 }, 'limitData'],
    ['limit_data', {}, 'limitData'],
    ['blackhole', { blackhole: '..1h' }, 'blackhole'],
  ])('%s %j', async (type, attributes, cause) => {
    await using it = await start();
    await add(it.run, type, attributes);
    await send(it.client, '123', '456', '789');
    expect(await countsOf(it.run, 3)).toMatchObject({ sent: 0, lost: { [cause]: 3 } });
    expect(await remove(it.run, type)).toMatchObject({ status: 204 });
    await send(it.client, 'abc');
    expect(await it.server.collect(1)).toMatchObject([{ data: Buffer.from('abc') }]);
  });

  test('what passes the bytes of limit_data, session by session, counted from when it was set', async () => {
    await using it = await start();
    await send(it.client, 'before it was set');
    await it.server.collect(1);
    await add(it.run, 'limit_data', { bytes: 5 });
    await using other = await openUdpConnection(it.run.address);
    await send(it.client, '123', '4567', '45', '6');
    await send(other, '12345', '6');
    await it.server.collect(4);
    expect(await countsOf(it.run, 5)).toMatchObject({ sent: 3, lost: { limitData: 2 } });
    expect(await countsOf(it.run, 2, 2)).toMatchObject({ sent: 1, lost: { limitData: 1 } });
    expect(it.server.received.map(({ data }) => data.toString())).toEqual(['before it was set', '123', '45', '12345']);
  });

  test('with timeout only for so long', async () => {
    await using it = await start();
    await add(it.run, 'timeout', { timeout: 1 });
    while (it.server.received.length === 0) {
      await send(it.client, 'x');
      await it.run.api('GET', '/sessions');
    }
    expect((await it.run.api('GET', TOXICS)).json).toHaveLength(1);
  });
});

describe('a toxic changes', () => {
  test('duplicate', async () => {
    await using it = await start();
    await add(it.run, 'duplicate', { duplicate: 1 });
    await send(it.client, 'x');
    expect((await it.server.collect(2)).map(({ data }) => data.toString())).toEqual(['x', 'x']);
  });

  test('reorder', async () => {
    await using it = await start();
    await add(it.run, 'reorder', { reorder: '100%' });
    expect(it.run.events('faults').at(-1)).toMatchObject({ up: { reorder: 1 } });
    await send(it.client, 'a');
    await countsOf(it.run, 1);
    await remove(it.run, 'reorder');
    await send(it.client, 'b');
    const arrived = await it.server.collect(2);
    expect(arrived.map(({ data }) => data.toString()).toSorted()).toEqual(['a', 'b']);
  });

  test.each(['corrupt', 'truncate'])('%s', async (type) => {
    await using it = await start();
    await add(it.run, type, { [type]: 1 });
    await send(it.client, 'payload');
    const [first] = await it.server.collect(1);
    expect(first!.data.toString()).not.toBe('payload');
  });

  test('rebind: the source port of a session', async () => {
    await using it = await start();
    await send(it.client, 'a');
    await it.server.collect(1);
    await add(it.run, 'rebind', { rebind: 1 });
    const { source } = await it.run.event('rebind', { relay: 'relay', session: 1 });
    expect(source).not.toBe(it.server.received[0]!.from);
    await remove(it.run, 'rebind');
    expect((await it.run.api('GET', '/sessions')).json).toHaveLength(1);
  });
});

describe('a toxic delays', () => {
  test('latency, and a datagram keeps its moment when the toxic is removed', async () => {
    await using it = await start();
    await add(it.run, 'latency', { latency: 300 });
    const startMs = performance.now();
    await send(it.client, 'late');
    await countsOf(it.run, 1);
    await remove(it.run, 'latency');
    await send(it.client, 'now');
    const arrived = await it.server.collect(2);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(299);
    expect(arrived.map(({ data }) => data.toString()).toSorted()).toEqual(['late', 'now']);
  });

  test('bandwidth: kB of payload a second, without headers', async () => {
    await using it = await start();
    await add(it.run, 'line_queue', { line_queue: '1h' });
    await add(it.run, 'bandwidth', { rate: 10 });
    const startMs = performance.now();
    await send(it.client, Buffer.alloc(1000), Buffer.alloc(1000));
    await it.server.collect(2);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(199);
  });

  test('a line goes on where it was when another toxic comes', async () => {
    await using it = await start();
    await add(it.run, 'line_queue', { line_queue: 3_600_000 });
    await add(it.run, 'bandwidth', { rate: 10 });
    const startMs = performance.now();
    await send(it.client, Buffer.alloc(1000));
    await countsOf(it.run, 1);
    await add(it.run, 'duplicate', { duplicate: 0 });
    await send(it.client, Buffer.alloc(1000));
    await it.server.collect(2);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(199);
  });
});

test('a line of the command line goes on where it was when HTTP adds a toxic', async () => {
  await using it = await start('--up-bandwidth', '80kbit', '--line-queue', '1h', '--down-bandwidth', '1gbit');
  const startMs = performance.now();
  await send(it.client, Buffer.alloc(972));
  await countsOf(it.run, 1);
  await add(it.run, 'duplicate', { duplicate: 0 });
  await send(it.client, Buffer.alloc(972));
  await it.server.collect(2);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(199);
});

test('toxics of one type act together', async () => {
  await using it = await start();
  await add(it.run, 'latency', { latency: 100 }, { name: 'a' });
  await add(it.run, 'latency', { latency: '0.1s' }, { name: 'b' });
  const startMs = performance.now();
  await send(it.client, 'x');
  await it.server.collect(1);
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(199);
});

test('toxicity is a share of sessions, drawn by seed and name, whenever the toxic is added', async () => {
  const fatesOf = async (early: boolean, name: string): Promise<string> => {
    await using it = await start();
    const toxic = { name, toxicity: 0.5 };
    if (early) await add(it.run, 'timeout', {}, toxic);
    const clients = await Promise.all(Array.from({ length: 40 }, () => openUdpConnection(it.run.address)));
    for (const [index, client] of clients.entries()) {
      await send(client, 'first');
      await countsOf(it.run, 1, index + 1);
    }
    if (!early) await add(it.run, 'timeout', {}, toxic);
    for (const client of clients) await send(client, 'second');
    const fates: string[] = [];
    for (let session = 1; session <= clients.length; session += 1) {
      const { lost } = await countsOf(it.run, 2, session);
      fates.push(lost.blackhole === 0 ? '.' : 'x');
    }
    for (const client of clients) client.close();
    return fates.join('');
  };
  const [early, late, other] = [await fatesOf(true, 'a'), await fatesOf(false, 'a'), await fatesOf(false, 'b')];
  expect(late).toBe(early);
  expect(other).not.toBe(early);
  // 40 sessions: fewer than 8 or more than 32 would be a chance of 1 in 20,000. The seed makes it always the same.
  const acted = early.replaceAll('.', '').length;
  expect(acted).toBeGreaterThanOrEqual(8);
  expect(acted).toBeLessThanOrEqual(32);
});

test('toxicity 0 acts on no session, and one of downstream on answers only', async () => {
  await using server = await echoServer();
  await using run = await startRelayRun(['127.0.0.1:0', server.address]);
  await add(run, 'timeout', {}, { toxicity: 0 });
  await add(run, 'lose', { lose: 1 }, { stream: 'downstream' });
  await using client = await openUdpConnection(run.address);
  await send(client, 'a', 'b');
  expect(Buffer.from(await client.recv()).toString()).toBe('b');
  expect(server.received).toHaveLength(2);
});

test('changes of faults lose nothing: what waits leaves at its time, and every change is told', async () => {
  await using it = await start();
  await add(it.run, 'latency', { latency: 50, jitter: 50 });
  const count = 200;
  for (let nth = 0; nth < count; nth += 1) {
    await send(it.client, `${nth}`);
    if (nth % 10 === 0) await it.run.api('PATCH', `${TOXICS}/latency_upstream`, { attributes: { latency: nth } });
    if (nth % 25 === 0) await add(it.run, 'duplicate', { duplicate: 0 }, { name: `n${nth}` });
  }
  const arrived = await it.server.collect(count);
  expect(new Set(arrived.map(({ data }) => Number(data.toString()))).size).toBe(count);
  const { lines } = await it.run.end();
  expect(lines.filter(({ type }) => type === 'faults')).toHaveLength(1 + 1 + 20 + 8);
  expect(lines.at(-1)).toMatchObject({ up: { received: count, sent: count, notSent: 0 } });
});

test('the faults event has the settings and the toxics of both ways', async () => {
  await using it = await start();
  await add(it.run, 'latency', { latency: 5, jitter: 0 });
  await add(it.run, 'packet_loss', { loss_rate: 0 }, { stream: 'downstream', name: 'x' });
  expect(it.run.events('faults').at(-1)).toMatchObject({
    relay: 'relay',
    seed: 1,
    up: { delay: 5 },
    down: { loss: 0 },
    toxics: [{ name: 'latency_upstream' }, { name: 'x', stream: 'downstream' }],
  });
});
