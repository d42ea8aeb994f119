// npm run bench:deadline
//
// Measures how late after its deadline `udpcat send` ends, and how much memory it takes, while a peer floods it with
// replies.
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { folder, start, udpcat } from './programs.mjs';

const DEADLINE_MS = 1500;
/** A flood ends after this time, and after so many datagrams, also if somebody still listens. */
const FLOOD = { mostMs: 10_000, most: 5_000_000 };
const SIZES = [20, 1400, 60_000];
const CHECKS = [
  { name: 'an expression', args: ['m', '--expect-regex', '(a|b|[0-9]+){1,40}zz$'] },
  { name: 'explained', args: ['m', '--expect-exact', 'no', '--explain'] },
  { name: 'a probe', args: ['--probe', 'dns:example.com'] },
  { name: '-n all, as JSON', args: ['m', '-n', 'all', '-o', 'json'] },
];

const usage = join(folder, 'usage');
const preload = join(folder, 'usage.cjs');
// Writes the time at the very end of the process, by the clock of the process: the deadline counts by that clock.
writeFileSync(
  preload,
  `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(usage)},
    JSON.stringify({ ms: performance.now(), kB: process.resourceUsage().maxRSS })));`,
);

/** A worker thread that floods the first sender until nobody listens there any more. */
const FLOODER = `
  const { parentPort, workerData: { payload, most, mostMs } } = require('node:worker_threads');
  const socket = require('node:dgram').createSocket('udp4');
  let [gone, sent, endMs] = [false, 0, Infinity];
  const flood = () => {
    if (gone || sent >= most || performance.now() > endMs) return socket.close();
    let left = 32;
    sent += left;
    for (let nth = 0; nth < 32; nth += 1)
      socket.send(payload, (error) => {
        gone ||= error !== null && error !== undefined;
        if ((left -= 1) === 0) setImmediate(flood);
      });
  };
  socket.on('error', () => { gone = true; });
  socket.once('message', (_, { port, address }) => {
    endMs = performance.now() + mostMs;
    socket.connect(port, address, flood);
  });
  socket.bind(0, '127.0.0.1', () => parentPort.postMessage(socket.address().port));`;

async function measure(bytes, args, engine) {
  const flooder = new Worker(FLOODER, { eval: true, workerData: { payload: randomBytes(bytes), ...FLOOD } });
  const [port] = await once(flooder, 'message');
  const all = ['send', `127.0.0.1:${port}`, ...args, '--deadline', `${DEADLINE_MS}ms`, '--engine', engine];
  const { child, ended } = start([...udpcat, ...(args.includes('-o') ? all : [...all, '-o', 'none'])], {
    stdout: 'ignore',
    env: { NODE_OPTIONS: `--require ${preload}` },
  });
  await ended;
  await flooder.terminate();
  return { status: child.exitCode, ...JSON.parse(readFileSync(usage, 'utf8')) };
}

console.log('engine  bytes   check            status  ends after the deadline  memory');
for (const engine of ['node', 'linux'])
  for (const bytes of SIZES)
    for (const { name, args } of CHECKS) {
      const { status, ms, kB } = await measure(bytes, args, engine);
      const late = `${Math.round(ms - DEADLINE_MS)} ms`;
      const columns = [engine.padEnd(6), String(bytes).padEnd(6), name.padEnd(15), String(status).padEnd(6)];
      console.log([...columns, late.padStart(23), `${Math.round(kB / 1024)} MiB`].join('  '));
    }
