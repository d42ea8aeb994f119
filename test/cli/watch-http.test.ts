/** Programs that people have, asking `udpcat watch --http`. */
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { HANG_MS } from '../support/limits.js';
import { describeWith, hasProgram, without } from '../support/peers.js';
import { closedAddress, echoServer, hostAndPort, respondingServer } from '../support/sockets.js';
import { type Running, start } from '../support/udpcat.js';
import { ask } from '../support/watching-http.js';

/** Asks again and again until the value is there: none of these programs tells when it has something new. */
async function eventually<Value>(read: () => Promise<Value | undefined>, what: string): Promise<Value> {
  const giveUpMs = performance.now() + HANG_MS;
  while (performance.now() < giveUpMs) {
    const value = await read();
    if (value !== undefined) return value;
    await delay(50);
  }
  throw new Error(`not in time: ${what}`);
}

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-watch-http-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Starts the built command with `--http`. */
async function startHttp(args: readonly string[]): Promise<Running & { readonly base: string }> {
  const running = start(['watch', ...args, '--http', '127.0.0.1:0', '-o', 'states', '--no-stats']);
  return Object.assign(running, { base: await running.listening() });
}

const FAST = ['--interval', '2s', '--retry-interval', '100ms', '--wait', '1s'];

describe('the built command', () => {
  test('serves its page and the metrics of the process', async () => {
    await using peer = await echoServer();
    await using running = await startHttp([peer.address, ...FAST]);
    const page = await ask(running.base, '/');
    expect([page.status, page.headers['content-type']]).toEqual([200, 'text/html; charset=utf-8']);
    expect(page.text).toMatch(/^<!doctype html>[^]*<\/html>\n$/);
    const { text } = await ask(running.base, '/metrics');
    expect(text).toMatch(/^process_cpu_seconds_total [\d.]+$/m);
    expect(text).toMatch(/^udpcat_build_info\{version="\d+\.\d+\.\d+"\} 1$/m);
    if (hasProgram('promtool')) {
      const { stdout, stderr, status } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
      expect([stdout, stderr, status]).toEqual(['', '', 0]);
    }
    running.kill('SIGTERM');
    expect((await running.outcome).status).toBe(0);
  });
});

describeWith('curl', 'curl', () => {
  test('fails while a target is down', async () => {
    let answers = false;
    await using service = await respondingServer(async (data) => (answers ? data : undefined));
    await using running = await startHttp([service.address, ...FAST]);
    const curl = (path: string) =>
      promisify(execFile)('curl', ['--silent', '--fail', '--compressed', `http://${running.base}${path}`]);
    await running.until(/ down after/);
    await expect(curl('/health')).rejects.toMatchObject({ code: 22 });
    answers = true;
    await running.until(/ up after/);
    expect((await curl('/health')).stdout).toBe('1 of 1 targets are up\n');
    expect((await curl('/metrics')).stdout).toMatch(/^udpcat_target_up\{[^}]*\} 1$/m);
  });
});

/** Queries Prometheus. Resolves to the value of each series by a label. */
async function query(prometheus: Daemon, expression: string, label: string): Promise<Record<string, string>> {
  const { text } = await ask(prometheus.address, `/api/v1/query?query=${encodeURIComponent(expression)}`);
  const { data } = JSON.parse(text) as {
    data?: { result: { metric: Record<string, string>; value: [number, string] }[] };
  };
  return Object.fromEntries((data?.result ?? []).map(({ metric, value }) => [metric[label] ?? '', value[1]]));
}

describeWith('prometheus', 'prometheus', () => {
  test('scrapes /metrics, and /probe with relabelling, and answers for both', async () => {
    await using peer = await echoServer();
    const closed = await closedAddress();
    await using running = await startHttp([peer.address, closed, ...FAST]);
    const job = { scrape_interval: '1s', scrape_timeout: '1s' };
    const configuration = {
      scrape_configs: [
        { ...job, job_name: 'watch', static_configs: [{ targets: [running.base] }] },
        {
          ...job,
          job_name: 'probe',
          metrics_path: '/probe',
          static_configs: [{ targets: [peer.address, closed] }],
          relabel_configs: [
            { source_labels: ['__address__'], target_label: '__param_target' },
            { source_labels: ['__param_target'], target_label: 'instance' },
            { target_label: '__address__', replacement: running.base },
          ],
        },
      ],
    };
    await using prometheus = await startDaemon({
      program: 'prometheus',
      protocol: 'tcp',
      files: () => ({ 'prometheus.yml': JSON.stringify(configuration) }),
      args: ({ port, folder: at }) => [
        ...[`--config.file=${at}/prometheus.yml`, `--storage.tsdb.path=${at}/data`],
        `--web.listen-address=127.0.0.1:${port}`,
      ],
    });
    const reached = (expression: string, label: string, expected: Record<string, string>) =>
      eventually(async () => {
        const found = await query(prometheus, expression, label).catch(() => ({}));
        return (
          JSON.stringify(Object.entries(found).sort()) === JSON.stringify(Object.entries(expected).sort()) || undefined
        );
      }, expression);
    await reached('udpcat_target_up', 'target', { [peer.address]: '1', [closed]: '0' });
    await reached('probe_success', 'instance', { [peer.address]: '1', [closed]: '0' });
    await reached('probe_udp_verdict_info', 'verdict', { ok: '1', refused: '1' });
    // The timeout of the job less half a second.
    await reached('min(probe_timeout_seconds)', '', { '': '0.5' });
    await reached('sum(up)', '', { '': '3' });
  });
});

const DNSMASQ = hasProgram('dnsmasq') && hasProgram('prometheus-blackbox-exporter');
(DNSMASQ ? describe : describe.skip)(
  DNSMASQ ? 'blackbox_exporter' : without('dnsmasq or prometheus-blackbox-exporter', 'blackbox_exporter'),
  () => {
    test('says the same of the same name servers', async () => {
      await using dns = await startDaemon({
        program: 'dnsmasq',
        args: ({ port, folder: at }) => [
          ...[
            '--keep-in-foreground',
            `--port=${port}`,
            '--listen-address=127.0.0.1',
            '--bind-interfaces',
            '--user=root',
          ],
          ...['--no-resolv', '--no-hosts', '--conf-file=/dev/null', `--pid-file=${at}/pid`],
          '--address=/example.com/192.0.2.10',
        ],
      });
      const closed = await closedAddress();
      const names = { right: 'example.com', wrong: 'example.org' };
      const modules = Object.entries(names).map(([module, name]) => [
        module,
        { prober: 'dns', timeout: '5s', dns: { transport_protocol: 'udp', query_name: name, query_type: 'A' } },
      ]);
      await using blackbox = await startDaemon({
        program: 'prometheus-blackbox-exporter',
        protocol: 'tcp',
        files: () => ({ 'blackbox.yml': JSON.stringify({ modules: Object.fromEntries(modules) as object }) }),
        args: ({ port, folder: at }) => [`--config.file=${at}/blackbox.yml`, `--web.listen-address=127.0.0.1:${port}`],
      });
      const path = join(folder, 'dns.json');
      const own = Object.entries(names).map(([module, name]) => [module, { probe: `dns:${name}` }]);
      writeFileSync(path, JSON.stringify({ modules: Object.fromEntries(own) as object }));
      await using running = await startHttp(['--config', path]);
      const success = async (base: string, module: string, target: string) => {
        const { status, text } = await ask(base, `/probe?module=${module}&target=${target}`);
        return [status, /^probe_success (\d)$/m.exec(text)?.[1], /^probe_ip_protocol (\d)$/m.exec(text)?.[1]];
      };
      for (const [module, target, expected] of [
        ['right', dns.address, '1'],
        ['wrong', dns.address, '0'],
        ['right', closed, '0'],
      ] as const) {
        const theirs = await success(blackbox.address, module, target);
        expect([module, target, theirs]).toEqual([module, target, [200, expected, '4']]);
        expect(await success(running.base, module, target)).toEqual(theirs);
      }
    });
  },
);

describeWith('haproxy', 'haproxy', () => {
  test('takes out the stand-in of a UDP service, and takes it in again', async () => {
    let answers = false;
    await using service = await respondingServer(async (data) => (answers ? data : undefined));
    await using running = await startHttp([service.address, ...FAST]);
    const { port: healthPort } = hostAndPort(running.base);
    await using haproxy = await startDaemon({
      program: 'haproxy',
      protocol: 'tcp',
      files: ({ port }) => ({
        'haproxy.cfg': [
          'defaults',
          '  timeout connect 9s',
          '  timeout client 9s',
          '  timeout server 9s',
          'backend game',
          '  option httpchk GET /health',
          `  server game-1 127.0.0.1:9 check addr 127.0.0.1 port ${healthPort} inter 100ms fall 1 rise 1`,
          'listen stats',
          `  bind 127.0.0.1:${port}`,
          '  mode http',
          '  stats enable',
          '  stats uri /',
          '',
        ].join('\n'),
      }),
      args: ({ folder: at }) => ['-db', '-f', `${at}/haproxy.cfg`],
    });
    const isSeen = (state: 'UP' | 'DOWN') =>
      eventually(async () => {
        const { text } = await ask(haproxy.address, '/;csv');
        const row = text.split('\n').find((line) => line.startsWith('game,game-1,'));
        return row?.includes(`,${state},`) === true || undefined;
      }, state);
    await running.until(/ down after/);
    await isSeen('DOWN');
    answers = true;
    await running.until(/ up after/);
    await isSeen('UP');
    answers = false;
    await running.until(/ down after \w+ up/);
    await isSeen('DOWN');
  });
});
