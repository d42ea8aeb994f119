/** toxiproxy-node-client, unchanged, drives a relay. */
import { expect, test } from '@jest/globals';
import { type Latency, Toxiproxy, ToxiproxyError } from 'toxiproxy-node-client';
import { openUdpConnection } from '../../../src/net/index.js';
import { startRelayRun } from '../../support/relaying-http.js';
import { echoServer } from '../../support/sockets.js';

async function start() {
  const server = await echoServer();
  const run = await startRelayRun([]);
  const toxiproxy = new Toxiproxy(`http://${run.http}`);
  return {
    server,
    run,
    toxiproxy,
    [Symbol.asyncDispose]: async () => {
      await run.end();
      await server[Symbol.asyncDispose]();
    },
  };
}

test('makes, shows, disables and removes proxies', async () => {
  await using it = await start();
  const { toxiproxy, server } = it;
  const made = await toxiproxy.createProxy({ name: 'dns', listen: 'localhost:0', upstream: server.address });
  expect(await toxiproxy.get('dns')).toMatchObject(made.toJson());
  await expect(
    toxiproxy.createProxy({ name: 'dns', listen: 'localhost:0', upstream: server.address }),
  ).rejects.toMatchObject({ message: expect.stringContaining('409') });
  const off = await made.update({ enabled: false, listen: made.listen, upstream: made.upstream });
  expect(off.enabled).toBe(false);
  const moved = await made.update({ enabled: true, listen: made.listen, upstream: 'somehost.invalid:12345' });
  expect(moved).toMatchObject({ enabled: true, upstream: 'somehost.invalid:12345' });
  await made.remove();
  await expect(toxiproxy.get('dns')).rejects.toBeInstanceOf(ToxiproxyError);
});

test('populates, lists and resets', async () => {
  await using it = await start();
  const { toxiproxy, server } = it;
  const wanted = ['one', 'two'].map((name) => ({ name, listen: '127.0.0.1:0', upstream: server.address }));
  const made = await toxiproxy.populate(wanted);
  expect(Object.keys(made)).toEqual(['one', 'two']);
  await made.one!.addToxic({ name: 'x', stream: 'upstream', type: 'timeout', toxicity: 1, attributes: { timeout: 0 } });
  await toxiproxy.reset();
  const all = await toxiproxy.getAll();
  expect(Object.values(all).map(({ name, listen }) => ({ name, listen }))).toEqual(
    Object.values(made).map(({ name, listen }) => ({ name, listen })),
  );
  await expect(all.one!.getToxic('x')).rejects.toBeInstanceOf(ToxiproxyError);
  expect(JSON.stringify(await toxiproxy.getVersion())).toContain('2.');
});

test('adds, shows, changes and removes toxics, and datagrams feel them', async () => {
  await using it = await start();
  const { toxiproxy, server } = it;
  const proxy = await toxiproxy.createProxy({ name: 'dns', listen: '127.0.0.1:0', upstream: server.address });
  const toxic = await proxy.addToxic<Latency>({
    type: 'latency',
    attributes: { latency: 200, jitter: 0 },
  } as Parameters<typeof proxy.addToxic<Latency>>[0]);
  expect(toxic.toJson()).toMatchObject({ name: 'latency_downstream', stream: 'downstream', toxicity: 1 });
  expect((await proxy.getToxic<Latency>(toxic.name)).toJson()).toEqual(toxic.toJson());
  await using client = await openUdpConnection(proxy.listen);
  const startMs = performance.now();
  await client.send('slow');
  await client.recv();
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(199);
  const changed = await toxic.update({ ...toxic.toJson(), attributes: { latency: 1, jitter: 0 } });
  expect(changed.attributes.latency).toBe(1);
  await toxic.remove();
  await expect(proxy.getToxic(toxic.name)).rejects.toBeInstanceOf(ToxiproxyError);
  await client.send('fast');
  expect(Buffer.from(await client.recv()).toString()).toBe('fast');
});
