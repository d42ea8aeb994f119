// npm run bench:drops
//
// Floods `udpcat serve` at several rates. Shows how many datagrams were written and how many were dropped where. The
// last column, those that are in no count, must be 0.
import { createSocket } from 'node:dgram';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { folder, portOf, start, stop, udpcat } from './programs.mjs';
import { tableLines } from './table.mjs';

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

/** The output of a fast reader. */
const path = join(folder, 'out');

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

/** Runs one flood. Resolves to its row of the table. */
async function measure(family, rate, { name, options, slow = false }) {
  const host = family === 6 ? '::1' : '127.0.0.1';
  // A fast reader is a file: writing to it never blocks.
  const stdout = slow ? 'pipe' : openSync(path, 'w');
  const address = family === 6 ? '[::1]:0' : '127.0.0.1:0';
  const serve = start([...udpcat, 'serve', address, '-o', 'json', ...options], { stdout });
  if (!slow) closeSync(stdout);
  const port = await portOf(serve);
  if (slow) serve.child.stdout.pause();

  const socket = createSocket(`udp${family}`);
  const count = Math.min(MOST, rate * SECONDS);
  const reached = await flood(socket, { host, port }, count, rate);
  socket.close();
  const ended = stop(serve);
  serve.child.stdout?.resume();
  const { out } = await ended;

  const lines = (slow ? out : readFileSync(path, 'utf8')).trimEnd().split('\n');
  const written = lines.filter((line) => line.startsWith('{"v":1,"type":"datagram"')).length;
  const { kernel, queue, output } = JSON.parse(lines.at(-1)).dropped;
  const difference = count - written - kernel - queue - output;
  return { family, rate: Math.round(reached), reader: name, sent: count, written, kernel, queue, output, difference };
}

const rows = [];
for (const family of [4, 6]) {
  for (const rate of RATES) for (const reader of READERS) rows.push(await measure(family, rate, reader));
}
const cells = rows.map((row) => Object.values(row).map(String));
console.log(tableLines(Object.keys(rows[0]), cells).join('\n'));
if (rows.some(({ difference }) => difference !== 0)) process.exitCode = 1;
