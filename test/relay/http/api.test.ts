/** The API of toxiproxy, route by route, at a run of `udpcat relay --http`. */
import { describe, expect, test } from '@jest/globals';
import { openUdpConnection } from '../../../src/net/index.js';
import {
  type ProxyJson,
  type RelayRun,
  type SessionJson,
  startRelayRun,
  type ToxicJson,
} from '../../support/relaying-http.js';
import { closedAddress, echoServer, silentServer } from '../../support/sockets.js';
import { ask } from '../../support/watching-http.js';

const UPSTREAM = '127.0.0.1:9';

/** Starts a run without relays. */
function startEmpty(): Promise<RelayRun> {
  return startRelayRun([]);
}

const error = (status: number, text: string | RegExp) => ({
  status,
  json: { status, error: typeof text === 'string' ? text : (expect.stringMatching(text) as unknown) },
});

describe('proxies', () => {
  test('are added with the defaults of toxiproxy, listed, shown and removed', async () => {
    await using run = await startEmpty();
    expect(await run.api<ProxyJson>('GET', '/proxies')).toEqual({ status: 200, json: {} });
    const added = await run.api<ProxyJson>('POST', '/proxies', { name: 'dns', upstream: UPSTREAM });
    const listen: unknown = expect.stringMatching(/^127\.0\.0\.1:[1-9]\d*$/);
    const fields = { name: 'dns', listen, upstream: UPSTREAM, enabled: true, toxics: [] };
    expect(added).toEqual({ status: 201, json: fields });
    expect(await run.api<ProxyJson>('GET', '/proxies')).toEqual({ status: 200, json: { dns: fields } });
    expect(await run.api('GET', '/proxies/dns')).toEqual({ status: 200, json: added.json });
    expect(await run.api('DELETE', '/proxies/dns')).toEqual({ status: 204, json: undefined });
    expect(await run.api('GET', '/proxies/dns')).toEqual(error(404, 'proxy not found'));
    expect(await run.api('DELETE', '/proxies/dns')).toEqual(error(404, 'proxy not found'));
  });

  test.each<[string, unknown, number, RegExp]>([
    ['no name', { upstream: UPSTREAM }, 400, /^missing required field: name$/],
    ['an empty name', { name: '', upstream: UPSTREAM }, 400, /^missing required field: name$/],
    ['no upstream', { name: 'a' }, 400, /^missing required field: upstream$/],
    ['no JSON', '{', 400, /^bad request body: /],
    ['no body', undefined, 400, /^bad request body: it is empty$/],
    ['a list', [], 400, /^bad request body: it must be a JSON object$/],
    ['a number for a name', { name: 1, upstream: UPSTREAM }, 400, /^bad request body: "name" must be text$/],
    ['a text for a flag', { name: 'a', upstream: UPSTREAM, enabled: 'no' }, 400, /"enabled" must be true or false/],
    ['a wrong upstream', { name: 'a', upstream: '127.0.0.1:70000' }, 400, /^bad request body: "upstream": /],
    ['a wrong address', { name: 'a', upstream: UPSTREAM, listen: '[::1' }, 400, /^bad request body: "listen": /],
  ])('with %s are refused', async (_what, body, status, text) => {
    await using run = await startEmpty();
    expect(await run.api<ProxyJson>('POST', '/proxies', body)).toEqual(error(status, text));
    expect(await run.api<ProxyJson>('GET', '/proxies')).toEqual({ status: 200, json: {} });
  });

  test('are named in the datagrams of -o json', async () => {
    await using server = await echoServer(4);
    await using run = await startEmpty();
    for (const name of ['a', 'b']) {
      const { json } = await run.api<ProxyJson>('POST', '/proxies', { name, upstream: server.address });
      await using client = await openUdpConnection(json.listen);
      await client.send(`to ${name}`);
      await client.recv();
    }
    const { lines } = await run.end();
    const datagrams = lines.filter(({ type }) => type === 'datagram');
    expect(datagrams.map(({ relay, side, session, data }) => [relay, side, session, data])).toEqual(
      ['a', 'b'].flatMap((name, nth) => ['client', 'server'].map((side) => [name, side, nth + 1, `to ${name}`])),
    );
  });

  test('have names and addresses of their own', async () => {
    await using taken = await silentServer();
    await using run = await startEmpty();
    await run.api<ProxyJson>('POST', '/proxies', { name: 'a', upstream: UPSTREAM });
    expect(await run.api<ProxyJson>('POST', '/proxies', { name: 'a', upstream: UPSTREAM })).toEqual(
      error(409, 'proxy already exists'),
    );
    const inUse = { name: 'b', upstream: UPSTREAM, listen: taken.address };
    expect(await run.api<ProxyJson>('POST', '/proxies', inUse)).toEqual(error(500, /in use/));
    const self = { name: 'b', upstream: '127.0.0.1:4444', listen: '127.0.0.1:4444' };
    expect(await run.api<ProxyJson>('POST', '/proxies', self)).toEqual(error(400, /is the relay itself/));
    expect(Object.keys((await run.api<Record<string, ProxyJson>>('GET', '/proxies')).json)).toEqual(['a']);
  });

  test('names of any characters are found by their encoding', async () => {
    await using run = await startEmpty();
    for (const name of ['a/b', 'ä ?#%', '__proto__']) {
      expect((await run.api<ProxyJson>('POST', '/proxies', { name, upstream: UPSTREAM })).status).toBe(201);
      const { json } = await run.api<ProxyJson>('GET', `/proxies/${encodeURIComponent(name)}`);
      expect(json.name).toBe(name);
    }
    expect(Object.keys((await run.api<Record<string, ProxyJson>>('GET', '/proxies')).json)).toHaveLength(3);
  });

  test.each(['POST', 'PATCH'])(
    '%s disables one, so that clients are refused, and enables it at the same port',
    async (method) => {
      await using server = await echoServer();
      await using run = await startEmpty();
      const { json } = await run.api<ProxyJson>('POST', '/proxies', { name: 'a', upstream: server.address });
      await using client = await openUdpConnection(json.listen);
      await client.send('one');
      expect(Buffer.from(await client.recv()).toString()).toBe('one');
      const off = await run.api<ProxyJson>(method, '/proxies/a', { enabled: false });
      expect(off).toEqual({ status: 200, json: { ...json, enabled: false } });
      expect(await run.event('sessionEnd')).toMatchObject({ relay: 'a', session: 1, reason: 'disabled' });
      const refused = new Promise((resolve) => {
        client.once('peerError', resolve);
      });
      await client.send('two');
      expect(await refused).toMatchObject({ code: 'REFUSED' });
      expect(await run.api<ProxyJson>(method, '/proxies/a', { enabled: true })).toEqual({ status: 200, json });
      await client.send('three');
      expect(Buffer.from(await client.recv()).toString()).toBe('three');
      expect(await run.event('session', { session: 2 })).toMatchObject({ relay: 'a' });
    },
  );

  test('a new upstream or address restarts one, and toxics stay', async () => {
    await using one = await silentServer();
    await using two = await silentServer();
    await using run = await startEmpty();
    const { json: before } = await run.api<ProxyJson>('POST', '/proxies', { name: 'a', upstream: one.address });
    await run.api('POST', '/proxies/a/toxics', { type: 'duplicate', stream: 'upstream', attributes: { duplicate: 1 } });
    const { json: moved } = await run.api<ProxyJson>('PATCH', '/proxies/a', { upstream: two.address });
    expect(moved).toMatchObject({ listen: before.listen, upstream: two.address, enabled: true });
    await using client = await openUdpConnection(moved.listen);
    await client.send('x');
    expect((await two.collect(2)).map(({ data }) => data.toString())).toEqual(['x', 'x']);
    const { json: other } = await run.api<ProxyJson>('PATCH', '/proxies/a', { listen: '127.0.0.1:0' });
    expect(other.listen).not.toBe(before.listen);
    expect(other.toxics).toHaveLength(1);
    expect(await run.api<ProxyJson>('PATCH', '/proxies/a', { listen: 'x:y:z' })).toEqual(error(400, /"listen"/));
    expect((await run.api<ProxyJson>('GET', '/proxies/a')).json).toEqual(other);
    expect(await run.api('PATCH', '/proxies/b', {})).toEqual(error(404, 'proxy not found'));
  });

  test('an upstream whose name is not found yet starts, and what comes is counted', async () => {
    await using run = await startEmpty();
    const { status, json } = await run.api<ProxyJson>('POST', '/proxies', { name: 'a', upstream: 'name.invalid:53' });
    expect({ status, ...json }).toMatchObject({ status: 201, upstream: 'name.invalid:53', enabled: true });
    await using client = await openUdpConnection(json.listen);
    await client.send('x');
    let lost = 0;
    while (lost === 0) {
      const { text } = await ask(run.http, '/metrics');
      lost = Number(/lost_datagrams_total\{relay="a",way="up",fate="noTarget"\} (\d+)/.exec(text)?.[1]);
    }
    expect(lost).toBe(1);
  });
});

describe('POST /populate', () => {
  test('adds, keeps and replaces proxies', async () => {
    await using run = await startEmpty();
    const body = [
      { name: 'a', upstream: UPSTREAM, listen: '127.0.0.1:0' },
      { name: 'b', upstream: UPSTREAM, enabled: false },
    ];
    const { status, json } = await run.api<{ readonly proxies: readonly [ProxyJson] }>('POST', '/populate', body);
    expect(status).toBe(201);
    expect(json.proxies).toMatchObject([
      { name: 'a', enabled: true },
      { name: 'b', enabled: false },
    ]);
    await run.api('POST', '/proxies/a/toxics', { type: 'timeout' });
    const again = await run.api<{ readonly proxies: readonly [ProxyJson] }>('POST', '/populate', body);
    expect(again.json.proxies[0]).toMatchObject({ listen: json.proxies[0].listen, toxics: [{ type: 'timeout' }] });
    const replaced = await run.api<{ readonly proxies: readonly [ProxyJson] }>('POST', '/populate', [
      { ...body[0], upstream: '127.0.0.1:10' },
    ]);
    expect(replaced.json.proxies).toMatchObject([{ name: 'a', upstream: '127.0.0.1:10', toxics: [] }]);
    expect(Object.keys((await run.api<Record<string, ProxyJson>>('GET', '/proxies')).json)).toEqual(['b', 'a']);
  });

  test('checks all before it adds one, and tells what it added before an error', async () => {
    await using taken = await silentServer();
    await using run = await startEmpty();
    const good = { name: 'a', upstream: UPSTREAM };
    expect(
      await run.api<{ readonly proxies: readonly [ProxyJson] }>('POST', '/populate', [good, { upstream: UPSTREAM }]),
    ).toEqual(error(400, 'missing required field: name at proxy 2'));
    expect(await run.api<{ readonly proxies: readonly [ProxyJson] }>('POST', '/populate', good)).toEqual(
      error(400, /must be a list of proxies/),
    );
    expect((await run.api<Record<string, ProxyJson>>('GET', '/proxies')).json).toEqual({});
    const { status, json } = await run.api<{ readonly proxies: readonly [ProxyJson] }>('POST', '/populate', [
      good,
      { ...good, name: 'b', listen: taken.address },
    ]);
    expect(status).toBe(500);
    expect(json).toMatchObject({ status: 500, error: expect.stringMatching(/in use/), proxies: [{ name: 'a' }] });
  });
});

describe('toxics', () => {
  async function startOne(): Promise<RelayRun> {
    const run = await startEmpty();
    await run.api<ProxyJson>('POST', '/proxies', { name: 'a', upstream: UPSTREAM });
    return run;
  }
  const path = '/proxies/a/toxics';

  test('are added with the defaults of toxiproxy, listed by stream, shown, changed and removed', async () => {
    await using run = await startOne();
    const latency = {
      attributes: { latency: 100, jitter: 0 },
      name: 'latency_downstream',
      type: 'latency',
      stream: 'downstream',
      toxicity: 1,
    };
    const added = await run.api('POST', path, { type: 'latency', attributes: { latency: 100, unknown: 1 } });
    expect(added).toEqual({ status: 200, json: { ...latency, attributes: { ...latency.attributes, unknown: 1 } } });
    const up = { name: 'up', type: 'packet_loss', stream: 'upstream', toxicity: 0.5, attributes: { loss_rate: 0.1 } };
    expect(await run.api('POST', path, up)).toEqual({ status: 200, json: up });
    expect((await run.api<ToxicJson[]>('GET', path)).json.map(({ name }) => name)).toEqual([
      'up',
      'latency_downstream',
    ]);
    expect(await run.api('GET', `${path}/up`)).toEqual({ status: 200, json: up });
    for (const [method, toxicity] of [
      ['POST', 0.25],
      ['PATCH', 0.75],
    ] as const) {
      const body = { toxicity, name: 'other', stream: 'downstream', type: 'lose' };
      expect(await run.api(method, `${path}/up`, body)).toEqual({ status: 200, json: { ...up, toxicity } });
    }
    const more = await run.api<ToxicJson>('PATCH', `${path}/latency_downstream`, { attributes: { jitter: 5 } });
    expect(more.json.attributes).toMatchObject({ latency: 100, jitter: 5 });
    expect(await run.api('DELETE', `${path}/up`)).toEqual({ status: 204, json: undefined });
    for (const method of ['GET', 'DELETE']) {
      expect(await run.api(method, `${path}/up`)).toEqual(error(404, 'toxic not found'));
    }
    expect(await run.api('PATCH', `${path}/up`, {})).toEqual(error(404, 'toxic not found'));
    expect((await run.api('GET', path)).json).toHaveLength(1);
  });

  test('have names of their own, on both streams', async () => {
    await using run = await startOne();
    await run.api('POST', path, { name: 'x', type: 'latency', stream: 'upstream' });
    expect(await run.api('POST', path, { name: 'x', type: 'timeout' })).toEqual(error(409, 'toxic already exists'));
    await run.api('POST', path, { type: 'timeout', stream: 'upstream' });
    expect((await run.api('POST', path, { type: 'timeout' })).status).toBe(200);
  });

  test.each<[string, unknown, RegExp]>([
    ['no type', {}, /^invalid toxic type: it is one of latency, bandwidth, /],
    ['an unknown type', { type: 'noise' }, /^invalid toxic type: /],
    ['the name of a method', { type: 'toString' }, /^invalid toxic type: /],
    ['slicer', { type: 'slicer' }, /^invalid toxic type: slicer is of TCP/],
    ['slow_close', { type: 'slow_close', attributes: { delay: 1 } }, /slow_close is of TCP/],
    ['reset_peer', { type: 'reset_peer', attributes: { timeout: 1 } }, /reset_peer is of TCP/],
    [
      'a wrong stream',
      { type: 'latency', stream: 'sideways' },
      /^stream was invalid, can be either upstream or downstream$/,
    ],
    ['a toxicity above 1', { type: 'latency', toxicity: 1.5 }, /"toxicity" must be a number from 0 to 1/],
    ['a toxicity that is text', { type: 'latency', toxicity: '1' }, /"toxicity" must be a number from 0 to 1/],
    ['attributes that are a list', { type: 'latency', attributes: [] }, /"attributes" must be an object/],
    ['a latency below 0', { type: 'latency', attributes: { latency: -1 } }, /attribute "latency": /],
    [
      'a latency that is a list',
      { type: 'latency', attributes: { latency: [] } },
      /"latency" must be a number or text/,
    ],
    ['a rate that is text', { type: 'bandwidth', attributes: { rate: '1' } }, /"rate" must be a whole number from 0/],
    ['a share above 1', { type: 'packet_loss', attributes: { loss_rate: 5 } }, /"loss_rate": A share is from 0 to 1/],
    ['no attribute', { type: 'duplicate' }, /attribute "duplicate" must be given/],
    ['a wrong percentage', { type: 'corrupt', attributes: { corrupt: '5' } }, /attribute "corrupt": /],
    ['a burst that is a number', { type: 'burst_loss', attributes: { burst_loss: 0.1 } }, /attribute "burst_loss": /],
    ['number 0', { type: 'lose', attributes: { lose: [1, 0] } }, /attribute "lose": /],
    ['a rebinding without time', { type: 'rebind', attributes: { rebind: 0 } }, /attribute "rebind": /],
    ['no JSON', '{"type":', /^bad request body: /],
  ])('with %s are refused', async (_what, body, text) => {
    await using run = await startOne();
    expect(await run.api('POST', path, body)).toEqual(error(400, text));
    expect((await run.api('GET', path)).json).toEqual([]);
  });

  test('a wrong change changes nothing', async () => {
    await using run = await startOne();
    const { json } = await run.api('POST', path, { type: 'latency', attributes: { latency: 5 } });
    const changed = await run.api('PATCH', `${path}/latency_downstream`, {
      toxicity: 0.5,
      attributes: { latency: 'x' },
    });
    expect(changed).toEqual(error(400, /"latency"/));
    expect((await run.api('GET', path)).json).toEqual([json]);
  });

  test('an unknown proxy has none', async () => {
    await using run = await startOne();
    for (const method of ['GET', 'POST']) {
      expect(await run.api(method, '/proxies/b/toxics', method === 'POST' ? {} : undefined)).toEqual(
        error(404, 'proxy not found'),
      );
    }
    expect(await run.api('GET', '/proxies/b/toxics/x')).toEqual(error(404, 'proxy not found'));
  });
});

test('the relay of the command line is a proxy, its faults are toxics, and /reset removes them too', async () => {
  await using server = await silentServer();
  const faults = [
    '--delay',
    '20ms',
    '--jitter',
    '5ms:normal',
    '--up-loss',
    '5%',
    '--up-lose',
    '1..2',
    '--up-lose',
    '4',
  ];
  const more = [
    '--bandwidth',
    '1mbit',
    '--line-queue',
    '1s',
    '--burst-loss',
    '1%:25%',
    '--blackhole',
    '1h..',
    '--rebind',
    '1h',
  ];
  const args = ['127.0.0.1:0', server.address, '--name', 'main', '--seed', '1', ...faults, ...more];
  await using run = await startRelayRun(args);
  const { json } = await run.api<{ readonly main: ProxyJson }>('GET', '/proxies');
  expect(json.main).toMatchObject({ name: 'main', listen: run.address, upstream: server.address, enabled: true });
  const toxics = json.main.toxics.map(({ name, attributes }) => [name, attributes] as const);
  expect(Object.fromEntries(toxics)).toEqual({
    latency_upstream: { latency: 20, jitter: '5ms:normal' },
    packet_loss_upstream: { loss_rate: 0.05 },
    burst_loss_upstream: { burst_loss: '1%:25%:100%:0%' },
    lose_upstream: { lose: ['1..2', 4] },
    bandwidth_upstream: { rate: 0, bandwidth: '1000000bit' },
    line_queue_upstream: { line_queue: 1000 },
    blackhole_upstream: { blackhole: ['3600000ms..'] },
    latency_downstream: { latency: 20, jitter: '5ms:normal' },
    burst_loss_downstream: { burst_loss: '1%:25%:100%:0%' },
    bandwidth_downstream: { rate: 0, bandwidth: '1000000bit' },
    line_queue_downstream: { line_queue: 1000 },
    blackhole_downstream: { blackhole: ['3600000ms..'] },
    rebind_downstream: { rebind: 3_600_000 },
  });
  await run.api('PATCH', '/proxies/main', { enabled: false });
  expect(await run.api('POST', '/reset')).toEqual({ status: 204, json: undefined });
  expect((await run.api('GET', '/proxies/main')).json).toMatchObject({
    enabled: true,
    listen: run.address,
    toxics: [],
  });
  await using client = await openUdpConnection(run.address);
  await client.send('x');
  expect(await server.collect(1)).toMatchObject([{ data: Buffer.from('x') }]);
});

test('/version, unknown paths and wrong methods', async () => {
  await using run = await startEmpty();
  const { status, json } = await run.api('GET', '/version');
  expect({ status, json }).toEqual({ status: 200, json: { version: expect.stringMatching(/^2\./) } });
  expect(await run.api('GET', '/nothing')).toEqual(error(404, 'there is no such path'));
  const { headers, text } = await ask(run.http, '/reset', { method: 'DELETE' });
  expect(headers.allow).toBe('POST');
  expect(JSON.parse(text)).toMatchObject({ status: 405 });
  const large = await run.api<ProxyJson>('POST', '/proxies', 'x'.repeat(64 * 1024 + 1));
  expect(large).toEqual(error(413, 'a request has at most 65536 bytes'));
});

test('/sessions lists the sessions of all relays, and DELETE ends one', async () => {
  await using server = await echoServer();
  await using run = await startRelayRun(['127.0.0.1:0', server.address]);
  const { json: other } = await run.api<ProxyJson>('POST', '/proxies', { name: 'other', upstream: server.address });
  expect(await run.api('GET', '/sessions')).toEqual({ status: 200, json: [] });
  await using one = await openUdpConnection(run.address);
  await using two = await openUdpConnection(other.listen);
  for (const client of [one, two]) {
    await client.send('x');
    await client.recv();
  }
  const { json } = await run.api<SessionJson[]>('GET', '/sessions');
  expect(json).toMatchObject([
    { relay: 'relay', session: 1, target: server.address, up: { received: 1, sent: 1 }, down: { received: 1 } },
    { relay: 'other', session: 2, target: server.address },
  ]);
  const { type: _, v: __, time: ___, ...event } = await run.event('session', { session: 2 });
  expect(json[1]).toMatchObject(event);
  expect(await run.api('DELETE', '/sessions/2')).toEqual({ status: 204, json: undefined });
  expect(await run.event('sessionEnd', { session: 2 })).toMatchObject({ relay: 'other', reason: 'deleted' });
  for (const id of ['2', '99', 'x', '0']) {
    expect(await run.api('DELETE', `/sessions/${id}`)).toEqual(error(404, 'session not found'));
  }
  await two.send('y');
  await two.recv();
  expect(await run.event('session', { session: 3 })).toMatchObject({ relay: 'other' });
  const { text } = await ask(run.http, '/metrics');
  expect(text).toContain('\nudpcat_relay_sessions_total{relay="other"} 2\n');
  expect(text).toContain('\nudpcat_relay_sent_datagrams_total{relay="other",way="up"} 2\n');
  expect(text).toMatch(/\nprocess_cpu_seconds_total \d/);
  await run.api('DELETE', '/proxies/other');
  const { lines } = await run.end();
  expect(lines.at(-1)).toMatchObject({
    type: 'summary',
    sessions: { opened: 3, peak: 2, full: 0 },
    up: { received: 3, sent: 3 },
    down: { received: 3, sent: 3 },
    relays: [{ relay: 'relay', up: { received: 1 } }],
  });
});

test('/metrics and the summary have every proxy, and none that could not start', async () => {
  await using taken = await silentServer();
  await using run = await startEmpty();
  await run.api('POST', '/proxies', { name: 'off', upstream: UPSTREAM, enabled: false });
  await run.api('POST', '/proxies', { name: 'wrong', upstream: UPSTREAM, listen: taken.address });
  const { text } = await ask(run.http, '/metrics');
  expect(text).toContain('\nudpcat_relay_up{relay="off"} 0\n');
  expect(text).not.toContain('"wrong"');
  const { lines } = await run.end();
  expect(lines.at(-1)).toMatchObject({ type: 'summary', relays: [{ relay: 'off' }] });
});

test('a refusal is told with its relay', async () => {
  await using run = await startEmpty();
  const { json } = await run.api<ProxyJson>('POST', '/proxies', { name: 'a', upstream: await closedAddress() });
  await using client = await openUdpConnection(json.listen);
  await client.send('x');
  expect(await run.event('error')).toMatchObject({ relay: 'a', session: 1, code: 'REFUSED' });
});

test('relays are made and removed while others pass datagrams on', async () => {
  await using server = await echoServer();
  await using run = await startRelayRun(['127.0.0.1:0', server.address]);
  await using client = await openUdpConnection(run.address);
  for (let round = 0; round < 20; round += 1) {
    const name = `relay ${round}`;
    const path = `/proxies/${encodeURIComponent(name)}`;
    const [{ status }] = await Promise.all([
      run.api<ProxyJson>('POST', '/proxies', { name, upstream: server.address }),
      client.send(`${round}`),
    ]);
    expect(status).toBe(201);
    expect(Buffer.from(await client.recv()).toString()).toBe(`${round}`);
    expect(await run.api('DELETE', path)).toMatchObject({ status: 204 });
  }
  const { ending, lines } = await run.end();
  expect(ending).toBe(0);
  expect(lines.at(-1)).toMatchObject({ up: { received: 20, sent: 20 }, down: { received: 20, sent: 20 } });
});
