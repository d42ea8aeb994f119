// npm run bench:start [-- ROUNDS]
//
// Measures the CPU time of one `udpcat send` that expects a reply, as a multiple of that of an empty Node program.
import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** How much CPU time a send may take, as a multiple of that of the empty program. */
const MOST = 1.3;
const [ROUNDS = 40] = process.argv.slice(2).map(Number);

/** How many runs one measurement adds up: the shell counts whole milliseconds. */
const RUNS = 3;

const run = promisify(execFile);

/**
 * Returns the CPU time of a command in milliseconds: user and system time of all its threads. It is the time that the
 * kernel counted for the finished children of a shell, which is exact. Sampling /proc would not be.
 */
async function cpuTime(words, env = {}) {
  const script = `TIMEFORMAT='%3U %3S'; time for ((i = 0; i < ${RUNS}; i++)); do "$@" >/dev/null || exit; done`;
  const { stderr } = await run('bash', ['-c', script, 'bash', ...words], {
    env: { ...process.env, ...env },
  });
  const [user, system] = stderr.trim().split('\n').at(-1).split(' ').map(Number);
  return (1000 * (user + system)) / RUNS;
}

function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

const command = fileURLToPath(new URL('../dist/bin/udpcat.cjs', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'udpcat-bench-'));
const empty = join(folder, 'empty.cjs');
writeFileSync(empty, '');

// The command keeps its compiled code here, not in the cache of the user.
process.env.XDG_CACHE_HOME = folder;

const server = createSocket('udp4');
server.on('message', (data, { address, port }) => server.send(data, port, address));
server.bind(0, '127.0.0.1');
await once(server, 'listening');

try {
  const send = [process.execPath, command, 'send', `127.0.0.1:${server.address().port}`, 'hi', '--expect', 'hi'];
  const nothing = [process.execPath, empty];
  const anew = { NODE_DISABLE_COMPILE_CACHE: '1' };
  // One run of each that does not count: it reads the files from the disk, and keeps the compiled code.
  await cpuTime(send);
  await cpuTime(nothing);

  const times = { nothing: [], send: [], anew: [] };
  for (let round = 0; round < ROUNDS; round++) {
    times.nothing.push(await cpuTime(nothing));
    times.send.push(await cpuTime(send));
    times.anew.push(await cpuTime(send, anew));
  }
  const base = median(times.nothing);
  const row = (title, values) =>
    console.log(
      `${title.padEnd(36)} ${median(values).toFixed(1).padStart(6)} ms ${(median(values) / base).toFixed(3)}`,
    );
  console.log(`CPU time, median of ${ROUNDS} rounds, and its ratio to that of an empty program`);
  row('node empty.cjs', times.nothing);
  row('udpcat send', times.send);
  row('udpcat send, compiled anew each time', times.anew);
  const ratio = median(times.send) / base;
  console.log(`ratio ${ratio.toFixed(3)}, at most ${MOST.toFixed(2)}`);
  if (ratio > MOST) process.exitCode = 1;
} finally {
  server.close();
  rmSync(folder, { recursive: true });
}
