/** The paths of `udpcat watch --http`, asked while targets are checked. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ExitCode } from '../../src/run/exit-code.js';
import { replyWithLiveness } from '../../src/watch/http/health-replies.js';
import type { TargetWatch } from '../../src/watch/target-watch.js';
import { VERDICTS } from '../../src/watch/verdict.js';
import { runInProcess } from '../support/in-process.js';
import {
  closedAddress,
  echoServer,
  hostAndPort,
  type Peer,
  respondingServer,
  silentServer,
} from '../support/sockets.js';
import { startWatch } from '../support/watching-http.js';

/** A check soon after each other; none is late on a busy machine. */
const SOON = ['--interval', '4s', '--retry-interval', '100ms', '--wait', '3s'];

let folder = '';
let peer: Peer;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-http-'));
  peer = await echoServer();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await peer[Symbol.asyncDispose]();
});

/** Writes a file of targets as JSON, and returns its path. */
function targetsFile(name: string, content: object): string {
  const path = join(folder, name);
  writeFileSync(path, JSON.stringify(content));
  return path;
}

const HTTP = ['--http', '127.0.0.1:0'];
/** The waits of {@link SOON} in a file. */
const soon = { interval: '4s', 'retry-interval': '100ms', wait: '3s' };

/** The value of each series of a text of metrics. */
function seriesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => {
      const space = line.lastIndexOf(' ');
      return [line.slice(0, space), Number(line.slice(space + 1))];
    }),
  );
}

describe('a run with --http', () => {
  test('tells where it listens, on stderr and as an event, and ends with status 0', async () => {
    const run = await startWatch([]);
    const { ending, stdout, stderr } = await run.end();
    expect(ending).toBe(ExitCode.ok);
    expect(stderr).toBe(`udpcat: listening on ${run.base}\n`);
    const [first, last, ...others] = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as object);
    expect(first).toMatchObject({ v: 1, type: 'listening', address: run.base });
    expect(last).toMatchObject({ type: 'summary', targets: [] });
    expect(others).toEqual([]);
    await expect(run.get('/live')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
  });

  test('ends although clients hold connections', async () => {
    const run = await startWatch([await closedAddress()]);
    const { status } = await run.get('/live', { Connection: 'keep-alive' });
    expect(status).toBe(200);
    expect((await run.end()).ending).toBe(0);
  });

  test('ends with status 1 if the address is taken', async () => {
    await using run = await startWatch([]);
    const { ending, stderr } = await runInProcess(['watch', '--http', run.base]);
    expect(ending).toBe(ExitCode.failure);
    expect(stderr).toBe(
      `udpcat: cannot listen on ${run.base} (TCP): the port is in use (EADDRINUSE); choose another port, or 0 for a free one\n`,
    );
  });

  test.each([
    [['--http', 'x'], /option '--http <address>'.*has no port; write x:PORT/],
    [['--http', 'http://127.0.0.1:9000/'], /option '--http <address>'.*write 127\.0\.0\.1:9000/],
    [['--http', 'udp://127.0.0.1:9000'], /option '--http <address>'.*TCP; write 127\.0\.0\.1:9000/],
    [['--http', '0', '--allow-target', '10.0.0.0/33'], /option '--allow-target <what>'.*192\.0\.2\.0\/24/],
    [['--http', '0', '--allow-target', '53'], /option '--allow-target/],
    [['--http', '0', '--allow-target', '*:53'], /option '--allow-target/],
    [['--http', '0', '--until', 'up'], /option '--until' needs a target/],
    [['--http', '0', '--checks', '3'], /option '--checks' needs a target/],
    [['--http', '0', '--probe', 'nonsense'], /nonsense/],
    [['--http', '0', '--wait', '20s'], /--wait.*not shorter/],
    [['127.0.0.1:9', '--allow-target', '10.0.0.0/8'], /add --http/],
    [[], /no target: .*--http/],
  ])('is a usage error as %j', async (args, says) => {
    const { ending, stderr } = await runInProcess(['watch', ...args]);
    expect(stderr).toMatch(says);
    expect(ending).toBe(ExitCode.usage);
  });
});

describe('/health', () => {
  test('is 200 without a target', async () => {
    await using run = await startWatch([]);
    expect(await run.get('/health')).toMatchObject({ status: 200, text: '0 of 0 targets are up\n' });
    expect(await run.get('/live')).toMatchObject({ status: 200 });
  });

  test('is 503 while a target is unknown, and 200 as soon as all are up', async () => {
    let answers = false;
    await using service = await respondingServer(async (data) => (answers ? data : undefined));
    const { address } = service;
    const times = ['--interval', '4s', '--retry-interval', '100ms', '--wait', '1s'];
    await using run = await startWatch([address, ...times, '--fall', '1000']);
    await run.until(/"type":"check"/);
    expect(await run.get('/health')).toMatchObject({
      status: 503,
      text: `${address} unknown: ${address} did not answer within 1s\n`,
    });
    answers = true;
    await run.until(/"to":"up"/);
    expect(await run.get('/health')).toMatchObject({ status: 200, text: '1 of 1 targets are up\n' });
    expect((await run.get(`/health/${address}`)).status).toBe(200);
  });

  test('is 503 with a line for each target that is down, or as JSON', async () => {
    const closed = [await closedAddress(), await closedAddress()];
    await using run = await startWatch([peer.address, ...closed, ...SOON, '--fall', '1']);
    await run.until(/"to":"up"/);
    await run.until(/"to":"down"[^]*"to":"down"/);
    const says = (address: string) => `${address} refused: nobody listens there, or a firewall prohibits it`;
    expect(await run.get('/health')).toMatchObject({
      status: 503,
      text: closed.map((address) => `${address} down: ${says(address)}\n`).join(''),
    });
    expect(await run.get(`/health/${closed[0]!}`)).toMatchObject({
      status: 503,
      text: `${closed[0]!} down: ${says(closed[0]!)}\n`,
    });
    expect((await run.get(`/health/${peer.address}`)).status).toBe(200);
    const json = await run.get('/health', { Accept: 'application/json' });
    expect(json.headers['content-type']).toBe('application/json');
    expect(JSON.parse(json.text)).toEqual({
      healthy: false,
      targets: 3,
      failing: closed.map((address) => ({ target: address, state: 'down', says: says(address) })),
    });
    expect((await run.get('/health/other')).status).toBe(404);
  });

  test('leaves out targets with health: no, which count by their names', async () => {
    const closed = await closedAddress();
    const path = targetsFile('health.json', {
      ...soon,
      fall: '1',
      targets: [
        { address: peer.address, name: 'one' },
        { address: closed, name: 'a/b & \n', health: 'no' },
      ],
    });
    await using run = await startWatch(['--config', path, ...HTTP]);
    await run.until(/"to":"down"/);
    await run.until(/"to":"up"/);
    expect(await run.get('/health')).toMatchObject({ status: 200, text: '1 of 1 targets are up\n' });
    const named = await run.get(`/health/${encodeURIComponent('a/b & \n')}`);
    expect([named.status, named.text]).toEqual([503, expect.stringMatching(/^a\/b & \\n down: [^\n]*\n$/)]);
  });
});

describe('/live', () => {
  const target = (checkedMs: number, isDone = false) =>
    ({ plan: { name: 'one', intervalMs: 1000 }, checkedMs, isDone }) as unknown as TargetWatch;

  test('is 200 until the last check is older than three intervals', () => {
    expect(replyWithLiveness([target(5000)], 8000).status).toBe(200);
    expect(replyWithLiveness([target(7000), target(5000)], 8001)).toMatchObject({
      status: 503,
      body: 'one was not checked for 3.001s, and its interval is 1s\n',
    });
    expect(replyWithLiveness([target(5000, true)], 9000).status).toBe(200);
    expect(replyWithLiveness([], 9000).status).toBe(200);
  });
});

describe('clients that are slow, many or hostile', () => {
  test('hold up no check, and nobody else', async () => {
    await using service = await echoServer();
    await using run = await startWatch([service.address, '--interval', '100ms', '--wait', '90ms']);
    const sockets = Array.from({ length: 200 }, () => {
      const { host, port } = hostAndPort(run.base);
      return connect(port, host).on('error', () => undefined);
    });
    await Promise.all(sockets.map((socket) => once(socket, 'connect')));
    for (const [index, socket] of sockets.entries()) {
      // A request that does not end, one that is too large, and a reply that nobody reads.
      if (index % 3 === 0) socket.write('GET /metrics HTTP/1.1\r\nHost: ');
      else if (index % 3 === 1) socket.write(`GET / HTTP/1.1\r\nX: ${'x'.repeat(100_000)}`);
      else socket.pause().write('GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20));
    }
    // Checks go on beside all of it.
    await service.collect(service.received.length + 10);
    expect((await run.get('/metrics')).text).toContain(`udpcat_target_up{target="${service.address}"`);
    for (const socket of sockets) socket.destroy();
  });
});

describe('/targets', () => {
  test('has what the page shows', async () => {
    const closed = await closedAddress();
    const path = targetsFile('targets.json', {
      ...soon,
      fall: '1',
      targets: [
        { address: peer.address, name: '<b>one</b>', labels: { site: 'ams' } },
        { address: closed, health: 'no' },
      ],
    });
    await using run = await startWatch(['--config', path, ...HTTP]);
    await run.until(/"to":"down"/);
    await run.until(/"to":"up"/);
    const { text, headers } = await run.get('/targets');
    expect(headers['content-type']).toBe('application/json');
    expect(JSON.parse(text)).toEqual({
      version: '0.0.0',
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      targets: [
        {
          target: '<b>one</b>',
          address: peer.address,
          labels: { site: 'ams' },
          health: true,
          state: 'up',
          sinceMs: expect.any(Number),
          checks: 2,
          skipped: 0,
          verdict: 'ok',
          says: expect.stringMatching(/ answered in [\d.]+ ms$/),
          rttMs: expect.any(Number),
          medianMs: expect.any(Number),
          loss: 0,
          history: '..',
        },
        expect.objectContaining({
          target: closed,
          health: false,
          state: 'down',
          verdict: 'refused',
          rttMs: null,
          medianMs: null,
          loss: 1,
          history: 'R',
        }),
      ],
    });
  });
});

describe('/metrics', () => {
  test('has every series from the start', async () => {
    await using silent = await silentServer();
    await using run = await startWatch([silent.address, ...SOON]);
    const series = seriesOf((await run.get('/metrics')).text);
    const labels = `target="${silent.address}",address="${silent.address}"`;
    const zero = [
      `udpcat_target_up{${labels}}`,
      `udpcat_target_changes_total{${labels}}`,
      ...VERDICTS.map((verdict) => `udpcat_checks_total{${labels},verdict="${verdict}"}`),
      `udpcat_checks_skipped_total{${labels}}`,
      `udpcat_requests_total{${labels}}`,
      `udpcat_requests_lost_total{${labels}}`,
      ...['0.00025', '0.001', '0.0025', '0.01', '0.025', '0.1', '0.25', '1', '2.5', '5', '+Inf'].map(
        (le) => `udpcat_round_trip_seconds_bucket{${labels},le="${le}"}`,
      ),
      `udpcat_round_trip_seconds_sum{${labels}}`,
      `udpcat_round_trip_seconds_count{${labels}}`,
      ...['ok', 'failed', 'timeout', 'superseded'].map((result) => `udpcat_hooks_total{${labels},result="${result}"}`),
    ];
    const own = [...series].filter(([name]) => name.startsWith('udpcat_'));
    expect(Object.fromEntries(own)).toEqual({
      ...Object.fromEntries(zero.map((name) => [name, 0])),
      [`udpcat_target_last_change_timestamp_seconds{${labels}}`]: expect.any(Number),
      udpcat_config_last_reload_successful: 1,
      'udpcat_build_info{version="0.0.0"}': 1,
    });
    const changed = series.get(`udpcat_target_last_change_timestamp_seconds{${labels}}`) ?? 0;
    expect(Math.abs(changed - Date.now() / 1000)).toBeLessThan(60);
    expect(series.get('process_resident_memory_bytes')).toBeGreaterThan(1e6);
  });

  test('counts checks, requests, changes and round trips, with the labels of the file', async () => {
    const closed = await closedAddress();
    const path = targetsFile('metrics.json', {
      ...soon,
      targets: [
        { address: peer.address, name: 'a "b"\\\n', labels: { site: 'ams' }, count: '3', rate: '1000' },
        { address: closed, name: 'gone' },
      ],
    });
    await using run = await startWatch(['--config', path, ...HTTP]);
    await run.until(/"to":"down"/);
    await run.until(/"to":"up"/);
    const series = seriesOf((await run.get('/metrics')).text);
    const value = (name: string, labels: string) => series.get(`udpcat_${name}{${labels}}`);
    const one = `target="a \\"b\\"\\\\\\n",address="${peer.address}",site="ams"`;
    const two = `target="gone",address="${closed}"`;
    expect(value('target_up', one)).toBe(1);
    expect(value('target_changes_total', one)).toBe(1);
    expect(value('checks_total', `${one},verdict="ok"`)).toBe(2);
    expect(value('requests_total', one)).toBe(6);
    expect(value('requests_lost_total', one)).toBe(0);
    expect(value('round_trip_seconds_count', one)).toBe(2);
    expect(value('round_trip_seconds_bucket', `${one},le="+Inf"`)).toBe(2);
    expect(value('target_up', two)).toBe(0);
    expect(value('target_changes_total', two)).toBe(1);
    expect(value('checks_total', `${two},verdict="refused"`)).toBe(3);
    expect(value('requests_lost_total', two)).toBe(3);
    expect(value('round_trip_seconds_count', two)).toBe(0);
  });
});

describe('POST /-/reload', () => {
  test('reads the file again, and tells what is wrong in it', async () => {
    const file = (targets: object) => targetsFile('reload.json', { ...soon, targets });
    const path = file([{ address: peer.address }]);
    await using run = await startWatch(['--config', path, ...HTTP]);
    const loaded = async () => seriesOf((await run.get('/metrics')).text).get('udpcat_config_last_reload_successful');
    file([{ address: peer.address }, { address: peer.address, name: 'again' }]);
    expect(await run.post('/-/reload')).toMatchObject({ status: 200, text: 'the file was read again: 2 targets\n' });
    expect((await run.get('/health/again')).status).not.toBe(404);
    expect(await loaded()).toBe(1);
    file([{ address: peer.address, fal: '3' }]);
    const wrong = await run.post('/-/reload');
    expect(wrong.status).toBe(500);
    expect(wrong.text).toMatch(
      /reload\.json:\d+: targets\[1\]\.fal: there is no such key; the targets from before are checked still\n$/,
    );
    expect(await loaded()).toBe(0);
    expect((await run.get('/health/again')).status).not.toBe(404);
    file([{ address: peer.address }]);
    run.hangUp();
    expect((await run.post('/-/reload')).status).toBe(200);
    expect(await loaded()).toBe(1);
    expect((await run.get('/health/again')).status).toBe(404);
    expect(await run.get('/-/reload')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    expect((await run.post('/-/reload', { Origin: 'http://evil.example' })).status).toBe(403);
  });

  test('is 404 without a file', async () => {
    await using run = await startWatch([]);
    expect((await run.post('/-/reload')).status).toBe(404);
  });
});
