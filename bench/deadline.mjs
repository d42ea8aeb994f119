// npm run bench:deadline
//
// Measures how late after its deadline `udpcat send` ends, and how much memory it takes, while a peer floods it with
// replies.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

const DEADLINE_MS = 1500;
const SIZES = [20, 1400, 60_000];
const CHECKS = [
  { name: 'an expression', args: ['m', '--expect-regex', '(a|b|[0-9]+){1,40}zz$'] },
  { name: 'explained', args: ['m', '--expect-exact', 'no', '--explain'] },
  { name: 'a probe', args: ['--probe', 'dns:example.com'] },
  { name: '-n all, as JSON', args: ['m', '-n', 'all', '-o', 'json'] },
];

const command = fileURLToPath(new URL('../dist/bin/udpcat.cjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'udpcat-deadline-'));
const usage = join(folder, 'usage');
const preload = join(folder, 'usage.cjs');
// Writes the time at the very end of the process, by the clock of the process: the deadline counts by that clock.
writeFileSync(
  preload,
  `process.on('exit', () => require('node:fs').writeFileSync(${JSON.stringify(usage)},
    JSON.stringify({ ms: performance.now(), kB: process.resourceUsage().maxRSS })));`,
);

/** A worker thread that floods the first sender until nobody listens there any more. */
const FLOOD = `
  const { parentPort, workerData: payload } = require('node:worker_threads');
  const socket = require('node:dgram').createSocket('udp4');
  let gone = false;
  const flood = () => {
    if (gone) return socket.close();
    let left = 32;
    for (let nth = 0; nth < 32; nth += 1)
      socket.send(payload, (error) => {
        gone ||= error !== null && error !== undefined;
        if ((left -= 1) === 0) setImmediate(flood);
      });
  };
  socket.on('error', () => { gone = true; });
  socket.once('message', (_, { port, address }) => socket.connect(port, address, flood));
  socket.bind(0, '127.0.0.1', () => parentPort.postMessage(socket.address().port));`;

async function measure(bytes, args, engine) {
  const flooder = new Worker(FLOOD, { eval: true, workerData: randomBytes(bytes) });
  const [port] = await once(flooder, 'message');
  const all = ['send', `127.0.0.1:${port}`, ...args, '--deadline', `${DEADLINE_MS}ms`, '--engine', engine];
  const child = spawn(process.execPath, [command, ...(args.includes('-o') ? all : [...all, '-o', 'none'])], {
    env: { ...process.env, NODE_OPTIONS: `--require ${preload}` },
    stdio: 'ignore',
  });
  const [status] = await once(child, 'exit');
  await flooder.terminate();
  return { status, ...JSON.parse(readFileSync(usage, 'utf8')) };
}

try {
  console.log('engine  bytes   check            status  ends after the deadline  memory');
  for (const engine of ['node', 'linux'])
    for (const bytes of SIZES)
      for (const { name, args } of CHECKS) {
        const { status, ms, kB } = await measure(bytes, args, engine);
        const late = `${Math.round(ms - DEADLINE_MS)} ms`;
        const columns = [engine.padEnd(6), String(bytes).padEnd(6), name.padEnd(15), String(status).padEnd(6)];
        console.log([...columns, late.padStart(23), `${Math.round(kB / 1024)} MiB`].join('  '));
      }
} finally {
  rmSync(folder, { recursive: true });
}
