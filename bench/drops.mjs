// npm run bench:drops
//
// Floods `udpcat serve` at several rates. Shows how many datagrams were written and how many were dropped where. The
// last column, those that are in no count, must be 0.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const RATES = [10_000, 50_000, 100_000, Infinity];
/** How many datagrams a flood has at most. */
const MOST = 50_000;
/** How long a flood lasts at most. */
const SECONDS = 1;
/** How many sends are under way at a time. */
const BURST = 64;

const READERS = [
  { name: 'fast', options: [] },
  { name: 'fast, --recv-buffer 64k', options: ['--recv-buffer', '64k'] },
  { name: 'fast, --queue-size 1', options: ['--queue-size', '1'] },
  { name: 'slow', options: [], slow: true },
  { name: 'slow, drop-oldest', options: ['--overflow', 'drop-oldest'], slow: true },
];

const command = fileURLToPath(new URL('../dist/bin/udpcat.cjs', import.meta.url));

/** Sends `count` datagrams of 64 bytes. Resolves, when the kernel has taken all, to the rate that was reached. */
async function flood(socket, { host, port }, count, rate) {
  const payload = Buffer.alloc(64, 'x');
  const startMs = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.ceil(((performance.now() - startMs + 1) / 1000) * rate));
    const burst = Math.min(due - sent, BURST);
    if (burst <= 0) {
      await delay(1);
      continue;
    }
    const sends = Array.from(
      { length: burst },
      () =>
        new Promise((resolve, reject) =>
          socket.send(payload, port, host, (error) => (error ? reject(error) : resolve())),
        ),
    );
    await Promise.all(sends);
    sent += burst;
  }
  return (count / (performance.now() - startMs)) * 1000;
}

/** Returns how many bytes wait in the kernel's buffer for the socket on a port. */
function waitingBytes(family, port) {
  const column = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  const row = readFileSync(family === 6 ? '/proc/net/udp6' : '/proc/net/udp', 'latin1')
    .split('\n')
    .find((line) => line.slice(0, line.indexOf(' 07 ')).includes(column));
  return Number.parseInt(row.trim().split(/\s+/)[4].split(':')[1], 16);
}

/** Runs one flood. Resolves to its row of the table. */
async function measure(family, rate, { name, options, slow = false }) {
  const host = family === 6 ? '::1' : '127.0.0.1';
  // A fast reader is a file: writing to it never blocks.
  const file = openSync(path, 'w+');
  const serve = spawn(
    process.execPath,
    [command, 'serve', family === 6 ? '[::1]:0' : '127.0.0.1:0', '-o', 'json', ...options],
    { stdio: ['ignore', slow ? 'pipe' : file, 'pipe'] },
  );
  const ended = once(serve, 'close');
  const chunks = [];
  let said = '';
  serve.stdout?.on('data', (chunk) => chunks.push(chunk));
  serve.stderr.on('data', (chunk) => (said += chunk));
  while (!said.includes('\n')) await once(serve.stderr, 'data');
  const port = Number(/:(\d+)\n/.exec(said)[1]);
  if (slow) serve.stdout.pause();

  const socket = createSocket(`udp${family}`);
  const count = Math.min(MOST, rate * SECONDS);
  const reached = await flood(socket, { host, port }, count, rate);
  socket.close();
  if (slow) while (waitingBytes(family, port) > 0) await delay(5);
  serve.kill('SIGTERM');
  serve.stdout?.resume();
  await ended;
  if (!slow) chunks.push(readFileSync(path));
  closeSync(file);

  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n');
  const written = lines.filter((line) => line.startsWith('{"v":1,"type":"datagram"')).length;
  const { kernel, queue, output } = JSON.parse(lines.at(-1)).dropped;
  const difference = count - written - kernel - queue - output;
  return { family, rate: Math.round(reached), reader: name, sent: count, written, kernel, queue, output, difference };
}

const folder = mkdtempSync(join(tmpdir(), 'udpcat-bench-'));
const path = join(folder, 'out');
const rows = [];
for (const family of [4, 6]) {
  for (const rate of RATES) for (const reader of READERS) rows.push(await measure(family, rate, reader));
}
rmSync(folder, { recursive: true });
const names = Object.keys(rows[0]);
const widths = names.map((name) => Math.max(name.length, ...rows.map((row) => String(row[name]).length)));
const line = (cells) => console.log(cells.map((cell, nth) => String(cell).padStart(widths[nth])).join('  '));
line(names);
for (const row of rows) line(names.map((name) => row[name]));
if (rows.some(({ difference }) => difference !== 0)) process.exitCode = 1;
