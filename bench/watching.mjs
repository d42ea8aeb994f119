// The rows of `npm run bench -- watch`: what a thousand targets cost, whether checks keep their moments, and how soon a
// service that is killed is down.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { folder, MEASUREMENT_MS, start, stop, udpcat } from './programs.mjs';

const TARGETS = 1000;
const INTERVAL_MS = 1000;
/** A check is on time when it arrives within so long of its moment. */
const ON_TIME_MS = 5;
/** proc(5): the clock ticks of utime and stime. */
const TICKS_PER_SECOND = 100;

/** Echoes on as many ports as it is told. At the end of stdin it writes when each port was asked. */
const SERVICE = `
  const { createSocket } = require('node:dgram');
  const times = [];
  const ports = Array.from({ length: Number(process.argv[1]) }, (_, nth) => new Promise((resolve) => {
    times.push([]);
    const socket = createSocket('udp4', (data, { port, address }) => {
      times[nth].push(performance.timeOrigin + performance.now());
      socket.send(data, port, address);
    });
    socket.bind(Number(process.argv[2] ?? 0), '127.0.0.1', () => resolve(socket.address().port));
  }));
  Promise.all(ports).then((all) => console.log(JSON.stringify(all)));
  process.stdin.resume().on('end', () => process.stdout.write(JSON.stringify(times) + '\\n', () => process.exit()));`;

export function startService(count, port) {
  const argv = [process.execPath, '-e', SERVICE, String(count), ...(port === undefined ? [] : [String(port)])];
  const program = start(argv, { stdin: 'pipe', limitMs: MEASUREMENT_MS });
  const lines = createInterface({ input: program.child.stdout })[Symbol.asyncIterator]();
  const nextLine = async () => JSON.parse((await lines.next()).value);
  return { ...program, nextLine };
}

export function startWatch(args) {
  return start([...udpcat, 'watch', ...args], { limitMs: MEASUREMENT_MS });
}

/** CPU time in ms, and memory in MB, of a process. */
function usageOf(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').trim().split(' ');
  const [, kB] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return { cpuMs: ((Number(fields[11]) + Number(fields[12])) * 1000) / TICKS_PER_SECOND, mB: Number(kB) / 1000 };
}

/** Returns the percentage of checks that arrived on time, and how much later the last checks were than the first, in ms. */
function judgeMoments(times) {
  let onTime = 0;
  let all = 0;
  const drifts = [];
  for (const arrived of times) {
    // Checks of a target that is unknown are off its timetable.
    const regular = arrived.slice(3);
    if (regular.length < 2) continue;
    const late = regular.map((ms) => ms % INTERVAL_MS);
    const unwrapped = late.map((ms) => (ms - late[0] + 1.5 * INTERVAL_MS) % INTERVAL_MS);
    const earliest = Math.min(...unwrapped);
    onTime += unwrapped.filter((ms) => ms - earliest <= ON_TIME_MS).length;
    all += unwrapped.length;
    drifts.push(unwrapped.at(-1) - unwrapped[0]);
  }
  drifts.sort((a, b) => a - b);
  return { share: (100 * onTime) / all, driftMs: Math.abs(drifts[drifts.length >> 1]) };
}

async function measureMany(durationMs) {
  const service = startService(TARGETS);
  const ports = await service.nextLine();
  const config = join(folder, 'targets.json');
  const targets = ports.map((port) => ({ address: `127.0.0.1:${port}` }));
  writeFileSync(config, JSON.stringify({ interval: `${INTERVAL_MS}ms`, targets }));
  const watch = startWatch(['--config', config, '-o', 'none', '--no-stats']);
  await delay(5000);
  const before = usageOf(watch.pid);
  const startMs = performance.now();
  let mB = 0;
  while (performance.now() - startMs < durationMs) {
    await delay(Math.min(1000, durationMs));
    mB = Math.max(mB, usageOf(watch.pid).mB);
  }
  const after = usageOf(watch.pid);
  const share = (100 * (after.cpuMs - before.cpuMs)) / (performance.now() - startMs);
  await stop(watch);
  service.child.stdin.end();
  const moments = judgeMoments(await service.nextLine());
  return [
    { name: 'CPU time, percent of a core', value: share, unit: '%', target: { most: 30 } },
    { name: 'memory at most, MB', value: mB, unit: 'MB', target: { most: 150 } },
    { name: `checks within ${ON_TIME_MS} ms of their moment`, value: moments.share, unit: '%', target: { least: 99 } },
    { name: 'drift from first to last, ms', value: moments.driftMs, unit: 'ms', target: { most: 1 } },
  ];
}

const KILL = { intervalMs: 1000, retryMs: 200, waitMs: 100, fall: 3 };

/** How long it may take to notice that a service is gone: the interval, the retries, the wait, and 50 ms. */
const detectionBoundMs = KILL.intervalMs + (KILL.fall - 1) * Math.max(KILL.retryMs, KILL.waitMs) + KILL.waitMs + 50;

async function measureKills(kills) {
  let service = startService(1);
  const [port] = await service.nextLine();
  const watch = startWatch([
    ...[`127.0.0.1:${port}`, '-o', 'json', '--interval', `${KILL.intervalMs}ms`, '--wait', `${KILL.waitMs}ms`],
    ...['--retry-interval', `${KILL.retryMs}ms`, '--fall', String(KILL.fall)],
  ]);
  const events = createInterface({ input: watch.child.stdout })[Symbol.asyncIterator]();
  const until = async (state) => {
    for (;;) {
      const event = JSON.parse((await events.next()).value);
      if (event.type === 'state' && event.to === state) return performance.now();
    }
  };
  await until('up');
  const tookMs = [];
  for (let nth = 0; nth < kills; nth += 1) {
    await delay(Math.random() * KILL.intervalMs);
    const killedMs = performance.now();
    service.child.kill('SIGKILL');
    tookMs.push((await until('down')) - killedMs);
    service = startService(1, port);
    await until('up');
  }
  await stop(watch);
  await stop(service);
  const inTime = tookMs.filter((ms) => ms <= detectionBoundMs).length;
  return [
    {
      name: `down within ${detectionBoundMs} ms of the kill, of ${kills}`,
      value: (100 * inTime) / kills,
      unit: '%',
      target: { least: 100 },
    },
    { name: 'the latest, ms', value: Math.max(...tookMs), unit: 'ms', target: { most: detectionBoundMs } },
  ];
}

/** The rows about `watch`. */
export function watchingRows({ isQuick, seconds }) {
  return [
    {
      title: `watch: ${TARGETS} targets once a second`,
      figures: () => measureMany(seconds(600) * 1000),
    },
    { title: 'watch: a service that is killed', figures: () => measureKills(isQuick ? 10 : 100) },
  ];
}
