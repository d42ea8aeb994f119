// The rows of `npm run bench -- HTTP`: what `watch --http` answers, and whether answering holds up checks.
import { once } from 'node:events';
import { request } from 'node:http';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { folder, freePort, run, start, stop, udpcat, waitForPort } from './programs.mjs';
import { median } from './table.mjs';
import { startService, startWatch } from './watching.mjs';

/** The programs that are compared share the first core. The load and the name server have the second. */
const onCore = (core, argv) => ['taskset', '-c', String(core), ...argv];
/** Requests at a time. */
const CONNECTIONS = 8;
/** Before each measurement. */
const WARM_UP_S = 3;

function startDns(port) {
  const options = ['--keep-in-foreground', `--port=${port}`, '--listen-address=127.0.0.1', '--bind-interfaces'];
  const quiet = ['--no-resolv', '--no-hosts', '--conf-file=/dev/null', '--pid-file=', '--user=root'];
  return start(onCore(1, ['dnsmasq', ...options, ...quiet, '--address=/example.com/192.0.2.10']));
}

/** Command lines of the programs that are compared, from the port of HTTP. */
const probers = {
  udpcat: (port) => {
    const config = join(folder, 'modules.json');
    writeFileSync(config, JSON.stringify({ modules: { dns: { probe: 'dns:example.com' } } }));
    return [...udpcat, 'watch', '--config', config, '--http', `127.0.0.1:${port}`, '-o', 'none'];
  },
  blackbox: (port) => {
    const config = join(folder, 'blackbox.yml');
    const dns = { transport_protocol: 'udp', query_name: 'example.com', query_type: 'A' };
    writeFileSync(config, JSON.stringify({ modules: { dns: { prober: 'dns', timeout: '5s', dns } } }));
    const listening = [`--config.file=${config}`, `--web.listen-address=127.0.0.1:${port}`, '--log.level=error'];
    return ['prometheus-blackbox-exporter', ...listening];
  },
};

/** Probes a second, each of which must succeed. */
async function measureProbes(kind, seconds) {
  const [dnsPort, port] = [await freePort(), await freePort()];
  const dns = startDns(dnsPort);
  await waitForPort(dnsPort, dns);
  const prober = start(onCore(0, probers[kind](port)));
  await waitForPort(port, prober, 'tcp');
  const url = `http://127.0.0.1:${port}/probe?module=dns&target=127.0.0.1:${dnsPort}`;
  const { body } = await ask(url);
  if (!/^probe_success 1$/m.test(body.toString())) throw new Error(`${kind} does not reach the name server: ${body}`);
  const load = async (duration) =>
    (await run(onCore(1, ['wrk', '-t1', `-c${CONNECTIONS}`, `-d${duration}s`, url]))).out;
  // Node compiles while it runs.
  await load(WARM_UP_S);
  const text = await load(seconds);
  if (text.includes('Non-2xx')) throw new Error(`${kind} refused: ${text}`);
  await stop(prober);
  await stop(dns);
  return { value: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]) };
}

/** Asks once, and takes gzip. Resolves to the body as it came, and how long it took. */
async function ask(url, headers = {}) {
  const startMs = performance.now();
  const [response] = await once(request(url, { headers, agent: false }).end(), 'response');
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  return { body: Buffer.concat(chunks), tookMs: performance.now() - startMs };
}

const TARGETS = 1000;

async function measureScrapes(durationMs) {
  const service = startService(TARGETS);
  const ports = await service.nextLine();
  const config = join(folder, 'scraped.json');
  const targets = ports.map((port) => ({ address: `127.0.0.1:${port}` }));
  const httpPort = await freePort();
  writeFileSync(config, JSON.stringify({ interval: '1s', http: `127.0.0.1:${httpPort}`, targets }));
  const watch = startWatch(['--config', config, '-o', 'json', '--no-stats']);
  const checks = [];
  createInterface({ input: watch.child.stdout }).on('line', (line) => {
    if (!line.includes('"type":"check"')) return;
    const { time, rttMs } = JSON.parse(line);
    checks.push({ timeMs: Date.parse(time), rttMs: rttMs ?? Infinity });
  });
  await waitForPort(httpPort, watch, 'tcp');
  // Compilers and targets come to rest.
  await delay(5000);
  checks.length = 0;
  const scrapes = [];
  const endMs = Date.now() + durationMs;
  while (Date.now() < endMs) {
    await delay(500 + Math.random() * 500);
    const fromMs = Date.now();
    const { tookMs, body } = await ask(`http://127.0.0.1:${httpPort}/metrics`, { 'Accept-Encoding': 'gzip' });
    scrapes.push({ fromMs, toMs: Date.now(), tookMs, bytes: body.length });
  }
  await stop(watch);
  await stop(service);
  const isScraped = ({ timeMs }) => scrapes.some(({ fromMs, toMs }) => timeMs >= fromMs && timeMs <= toMs + 2);
  const high = (some) => some.map(({ rttMs }) => rttMs).toSorted((a, b) => a - b)[Math.floor(some.length * 0.99)];
  const offMs = high(checks.filter(isScraped)) - high(checks.filter((check) => !isScraped(check)));
  return [
    {
      name: 'a scrape, median, ms',
      value: median(scrapes.map(({ tookMs }) => tookMs)),
      unit: 'ms',
      target: { most: 100 },
    },
    {
      name: 'the slowest scrape, ms',
      value: Math.max(...scrapes.map(({ tookMs }) => tookMs)),
      unit: 'ms',
      target: { most: 100 },
    },
    {
      name: 'p99 of round trips during a scrape, less that between scrapes, ms',
      value: offMs,
      unit: 'ms',
      target: { most: 2 },
    },
    {
      name: 'a scrape, compressed, kB',
      value: median(scrapes.map(({ bytes }) => bytes)) / 1000,
      unit: 'kB',
      target: { most: 1000 },
    },
  ];
}

/** The rows about `watch --http`. */
export function answeringRows({ seconds }) {
  const contender = (name, kind, target, needs = []) => ({
    name,
    target,
    needs: ['taskset', 'wrk', 'dnsmasq', ...needs],
    measure: () => measureProbes(kind, Math.max(1, Math.round(seconds(10)))),
  });
  return [
    {
      title: 'watch --http: /probe of a name server, one core',
      unit: '/s',
      contenders: [
        contender('udpcat', 'udpcat'),
        contender('blackbox_exporter', 'blackbox', { least: 1 }, ['prometheus-blackbox-exporter']),
      ],
    },
    { title: `watch --http: scrapes of ${TARGETS} targets`, figures: () => measureScrapes(seconds(100) * 1000) },
  ];
}
