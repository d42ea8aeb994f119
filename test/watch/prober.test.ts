/** `/probe`: one check now, of an address that may be asked. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { HttpError } from '../../src/http/reply.js';
import type { Family, Lookup } from '../../src/net/index.js';
import type { AllowedTarget } from '../../src/watch/plan.js';
import { AllowedTargets, parseAllowedTarget } from '../../src/watch/allowed-targets.js';
import { Prober } from '../../src/watch/http/prober.js';
import type { WatchedRun } from '../../src/watch/watcher.js';
import { openIo } from '../support/in-process.js';
import { answeringServer, closedAddress, echoServer, type Peer, silentServer } from '../support/sockets.js';
import { watchPlan } from '../support/watching.js';
import { startWatch, type WatchRun } from '../support/watching-http.js';

let folder = '';
let peer: Peer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-probe-'));
  peer = await echoServer();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await peer[Symbol.asyncDispose]();
});

const probe = (run: WatchRun, query: Record<string, string>, headers: Record<string, string> = {}) =>
  run.get(`/probe?${new URLSearchParams(query).toString()}`, headers);

/** The metrics of a probe by name. */
function metricsOf(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => line.split(' ') as [string, string]));
}

describe('/probe checks once', () => {
  test('an address that answers', async () => {
    await using run = await startWatch(['--wait', '9s']);
    const { status, headers, text } = await probe(run, { target: peer.address });
    expect([status, headers['content-type']]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(metricsOf(text)).toEqual({
      probe_success: '1',
      probe_duration_seconds: expect.stringMatching(/^0\.\d+$|^\d\.\d+$/),
      probe_timeout_seconds: '9.5',
      probe_dns_lookup_time_seconds: '0',
      probe_ip_protocol: '4',
      probe_failed_due_to_regex: '0',
      probe_udp_round_trip_seconds: expect.stringMatching(/^\d\.\d+$/),
      'probe_udp_verdict_info{verdict="ok"}': '1',
    });
  });

  test('addresses that do not: 200 whatever the verdict', async () => {
    await using wrong = await answeringServer(['NOPE']);
    await using run = await startWatch(['--wait', '300ms', '--expect', 'pong']);
    const refused = metricsOf((await probe(run, { target: await closedAddress(6) })).text);
    expect(refused).toMatchObject({
      probe_success: '0',
      probe_ip_protocol: '6',
      'probe_udp_verdict_info{verdict="refused"}': '1',
    });
    expect(refused).not.toHaveProperty('probe_udp_round_trip_seconds');
    const mismatch = await probe(run, { target: wrong.address });
    expect(mismatch.status).toBe(200);
    expect(metricsOf(mismatch.text)).toMatchObject({
      probe_success: '0',
      probe_failed_due_to_regex: '1',
      'probe_udp_verdict_info{verdict="mismatch"}': '1',
    });
    const error = await probe(run, { target: 'nowhere.invalid:53' });
    expect(error.status).toBe(200);
    expect(metricsOf(error.text)).toMatchObject({
      probe_success: '0',
      probe_ip_protocol: '0',
      'probe_udp_verdict_info{verdict="error"}': '1',
    });
  });

  test('by a module of the file, by its top, and by a probe that knows its port', async () => {
    await using pong = await answeringServer(['pong']);
    const path = join(folder, 'modules.json');
    const write = (expected: string) => {
      const modules = { game: { message: 'ping', expect: expected }, dns: { probe: 'dns:example.com', wait: '100ms' } };
      writeFileSync(path, JSON.stringify({ http: '127.0.0.1:0', expect: 'NOPE', wait: '400ms', modules }));
    };
    write('pong');
    await using run = await startWatch(['--config', path]);
    const verdictOf = async (query: Record<string, string>) =>
      /verdict="(\w+)"/.exec((await probe(run, { target: pong.address, ...query })).text)?.[1];
    expect(await verdictOf({ module: 'game' })).toBe('ok');
    expect(await verdictOf({})).toBe('mismatch');
    expect(await verdictOf({ module: 'dns', target: '127.0.0.1' })).toMatch(/^(refused|silent)$/);
    const unknown = await probe(run, { target: pong.address, module: 'gmae' });
    expect([unknown.status, unknown.text]).toEqual([400, 'there is no module "gmae"; there is game, dns\n']);
    write('other');
    expect((await run.post('/-/reload')).status).toBe(200);
    expect(await verdictOf({ module: 'game' })).toBe('mismatch');
  });

  test('and explains it with debug=true', async () => {
    await using run = await startWatch(['--wait', '9s']);
    const { text, headers } = await probe(run, { target: peer.address, debug: 'true' });
    expect(headers['content-type']).toBe('text/plain; charset=utf-8');
    const [sending, sent, replied, says, empty, ...metrics] = text.split('\n');
    expect(sending).toMatch(new RegExp(`^[\\d.]+ ms: sending from \\S+ to ${peer.address}; \\d+ ms left$`));
    expect(sent).toMatch(/^[\d.]+ ms: sent 32 bytes; \d+ ms left$/);
    expect(replied).toMatch(new RegExp(`^[\\d.]+ ms: ${peer.address} replied with 32 bytes: match; \\d+ ms left$`));
    expect(says).toMatch(new RegExp(`^ok: ${peer.address} answered in [\\d.]+ ms$`));
    expect(empty).toBe('');
    expect(metricsOf(metrics.join('\n'))).toMatchObject({ probe_success: '1' });
  });

  test('within the time that Prometheus leaves', async () => {
    await using silent = await silentServer();
    await using run = await startWatch(['--interval', '600s', '--wait', '500s']);
    const asking = (seconds: string) =>
      probe(run, { target: silent.address }, { 'X-Prometheus-Scrape-Timeout-Seconds': seconds });
    for (const [seconds, timeout] of [
      ['0.7', '0.2'],
      ['0.2', '0.1'],
      ['1', '0.5'],
    ] as const) {
      const { status, text } = await asking(seconds);
      expect([status, metricsOf(text)]).toEqual([
        200,
        expect.objectContaining({ probe_timeout_seconds: timeout, 'probe_udp_verdict_info{verdict="silent"}': '1' }),
      ]);
    }
    for (const seconds of ['0', '-1', 'x', 'NaN', '1e3', '']) expect((await asking(seconds)).status).toBe(400);
  });

  test.each([
    [{}, /target is missing/],
    [{ target: '' }, /target is missing/],
    [{ target: 'x' }, /no port; write x:PORT/],
    [{ target: '::1:53' }, /\[::1\]:53/],
    [{ target: '0.0.0.0:53' }, /every interface/],
    [{ target: '127.0.0.1:0' }, /1 to 65535/],
    [{ target: '127.0.0.1:53', debug: 'yes' }, /debug is true or false/],
    [{ target: '127.0.0.1:53', module: 'x' }, /there is no module "x"/],
  ])('refuses %j with 400 and one line', async (query, says) => {
    await using run = await startWatch([]);
    const { status, text } = await probe(run, query);
    expect([status, text]).toEqual([400, expect.stringMatching(says)]);
    expect(text).toMatch(/^[^\n]+\n$/);
  });

  test('refuses a parameter that stands twice', async () => {
    await using run = await startWatch([]);
    expect((await run.get('/probe?target=127.0.0.1:1&target=127.0.0.1:2')).status).toBe(400);
  });

  test('refuses pages of other sites', async () => {
    await using run = await startWatch([]);
    const foreign: Record<string, string>[] = [
      { Origin: run.base },
      { 'Sec-Fetch-Site': 'cross-site' },
      { Host: 'rebound.example' },
    ];
    const before = peer.received.length;
    for (const headers of foreign) expect((await probe(run, { target: peer.address }, headers)).status).toBe(403);
    expect(peer.received).toHaveLength(before);
  });

  test('refuses more than 64 at a time with 503, and goes on afterwards', async () => {
    await using silent = await silentServer();
    await using run = await startWatch(['--interval', '600s', '--wait', '500s']);
    const waiting = Array.from({ length: 64 }, () =>
      probe(run, { target: silent.address }, { 'X-Prometheus-Scrape-Timeout-Seconds': '300' }),
    );
    await silent.collect(64);
    const more = await probe(run, { target: silent.address });
    expect([more.status, more.headers['retry-after']]).toEqual([503, '1']);
    expect((await run.get('/live')).status).toBe(200);
    for (const { from } of silent.received.slice(0, 64)) await silent.send('hello', from);
    for (const { status, text } of await Promise.all(waiting)) {
      expect([status, metricsOf(text)]).toEqual([200, expect.objectContaining({ probe_success: '1' })]);
    }
    const again = probe(run, { target: silent.address });
    await silent.send('hello', (await silent.collect(65))[64]!.from);
    expect((await again).status).toBe(200);
  });
});

describe('--allow-target', () => {
  const addresses = (text: string) => parseAllowedTarget(text);

  test.each([
    ['10.0.0.0/8', { kind: 'block', block: { address: '10.0.0.0', prefixBits: 8 } }],
    ['192.0.2.1', { kind: 'block', block: { address: '192.0.2.1', prefixBits: 32 } }],
    ['2001:db8::/32', { kind: 'block', block: { address: '2001:db8::', prefixBits: 32 } }],
    ['DNS.example:53', { kind: 'address', address: 'dns.example:53' }],
    ['192.0.2.1:53', { kind: 'address', address: '192.0.2.1:53' }],
    ['[2001:DB8::1]:53', { kind: 'address', address: '[2001:db8::1]:53' }],
  ])('reads %s', (text, expected) => {
    expect(addresses(text)).toEqual(expected);
  });

  test.each(['', 'x', '53', '*:53', ':53', '10.0.0.0/33', '0.0.0.0:53', 'name', 'name:0', '[::1]'])(
    'refuses %j',
    (text) => {
      expect(() => addresses(text)).toThrow('Allowed is 192.0.2.0/24');
    },
  );

  /** Asks a prober without a server. `found` are the addresses of every name. */
  async function statusOf(
    target: string,
    allowed: readonly AllowedTarget[] | undefined,
    { isLoopback = false, found = [] as readonly string[], configured = [] as readonly string[] } = {},
  ): Promise<number | string> {
    const { planProbe } = await watchPlan(['--http', '0', '--wait', '200ms']);
    const asked: string[] = [];
    const lookup: Lookup = async (name: string, _family: Family | 0) => {
      asked.push(name);
      return found.map((address) => ({ address }));
    };
    const run = {
      context: openIo().io,
      targets: configured.map((address) => ({ plan: { address } })),
      planProbe,
      lookup,
    } as unknown as WatchedRun;
    const prober = new Prober(run, new AllowedTargets({ allowed }, isLoopback));
    const query = new URLSearchParams({ target });
    const signal = new AbortController().signal;
    const status = await prober.reply({ params: {}, query, headers: {}, body: '', signal }).then(
      (reply) => reply.status,
      (error: unknown) => (error as HttpError).status,
    );
    return asked.length === 0 ? status : `${status} after a look-up`;
  }

  test('allows everything on the loopback, and only targets elsewhere, unless it is given', async () => {
    const { address } = peer;
    expect(await statusOf(address, undefined, { isLoopback: true })).toBe(200);
    expect(await statusOf(address, undefined)).toBe(403);
    expect(await statusOf(address, undefined, { configured: ['192.0.2.9:1', address] })).toBe(200);
    expect(await statusOf(address, [addresses('10.0.0.0/8')], { isLoopback: true })).toBe(403);
    expect(await statusOf(address, [addresses('10.0.0.0/8')], { isLoopback: true, configured: [address] })).toBe(200);
  });

  test('allows blocks with every port, and addresses with their ports', async () => {
    const { address, port } = peer;
    expect(await statusOf(address, [addresses('10.0.0.0/8'), addresses('127.0.0.0/8')])).toBe(200);
    expect(await statusOf(String(port), [addresses('127.0.0.1')])).toBe(200);
    expect(await statusOf(`[::ffff:127.0.0.1]:${port}`, [addresses('127.0.0.1')])).toBe(200);
    expect(await statusOf(address, [addresses('::/0')])).toBe(403);
    expect(await statusOf(address, [addresses(address)])).toBe(200);
    expect(await statusOf(address, [addresses(`127.0.0.1:${port === 1 ? 2 : port - 1}`)])).toBe(403);
    expect(await statusOf('[::1]:9', [addresses('127.0.0.1')])).toBe(403);
  });

  test('allows a name whose addresses are all allowed, and asks those', async () => {
    const target = `rebound.example:${peer.port}`;
    const before = peer.received.length;
    expect(await statusOf(target, [addresses('127.0.0.0/8')], { found: ['127.0.0.1'] })).toBe('200 after a look-up');
    expect(peer.received).toHaveLength(before + 1);
    for (const found of [['127.0.0.1', '192.0.2.1'], ['192.0.2.1'], ['127.0.0.1', '::1'], ['::ffff:192.0.2.1']]) {
      expect(await statusOf(target, [addresses('127.0.0.0/8')], { found })).toBe('403 after a look-up');
    }
    expect(peer.received).toHaveLength(before + 1);
  });

  test('allows a name that is listed; asks the resolver for no name that cannot be allowed', async () => {
    const target = `LISTED.example:${peer.port}`;
    const listed = addresses(`listed.example:${peer.port}`);
    expect(await statusOf(target, [listed], { found: ['127.0.0.1'] })).toBe('200 after a look-up');
    expect(await statusOf(`other.example:${peer.port}`, [listed], { found: ['127.0.0.1'] })).toBe(403);
    expect(await statusOf(target, undefined, { found: ['127.0.0.1'] })).toBe(403);
    expect(await statusOf(target, undefined, { found: ['127.0.0.1'], configured: [target] })).toBe(
      '200 after a look-up',
    );
  });

  test('holds for a server that others reach', async () => {
    await using run = await startWatch(['--http', '0.0.0.0:0', '--allow-target', '192.0.2.0/24', peer.address]);
    expect(run.base).toMatch(/^0\.0\.0\.0:\d+$/);
    const closed = await closedAddress();
    expect((await probe(run, { target: closed })).status).toBe(403);
    expect((await probe(run, { target: peer.address })).status).toBe(200);
    // Users of a reverse proxy use its name.
    expect((await probe(run, { target: peer.address }, { Host: 'watch.example' })).status).toBe(200);
  });
});
