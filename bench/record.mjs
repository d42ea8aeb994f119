// npm run bench:record [-- SERVE]: the highest rate at which `udpcat serve -o none` loses nothing, and what of it is left
// with --record to a pcap file, side by side. SERVE is another build to measure.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What must be left of the rate. */
const LEAST = 0.8;
const SIZES = [64, 1400];
/** One trial, and how often the interval between a rate without loss and one with it is halved. */
const SECONDS = 0.5;
const HALVINGS = 6;
const ROUNDS = 3;
const HIGHEST = 800_000;

const built = fileURLToPath(new URL('../dist/bin/udpcat.cjs', import.meta.url));
const [command = built] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), 'udpcat-bench-'));

/** Whether all of a paced second arrives; also how many a second were sent, which a busy sender may miss. */
async function trial(size, rate, options) {
  const args = ['serve', '127.0.0.1:0', '-o', 'none', '--stats', '--log-format', 'json', ...options];
  const serve = spawn(process.execPath, [command, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(serve, 'close');
  let said = '';
  serve.stderr.setEncoding('utf8').on('data', (text) => (said += text));
  while (!said.includes('listening on')) await once(serve.stderr, 'data');
  const { address } = JSON.parse(said.split('\n').find((line) => line.includes('listening on')));
  const count = Math.round(rate * SECONDS);
  const send = spawn(
    process.execPath,
    [built, 'send', address, '--size', String(size), '--rate', `${rate}/s`, '-c', String(count), '--engine', 'linux'],
    { stdio: 'ignore' },
  );
  await once(send, 'close');
  serve.kill('SIGTERM');
  await ended;
  const { received, dropped } = JSON.parse(said.trimEnd().split('\n').at(-1));
  return received === count && dropped.queue === 0 && dropped.output === 0;
}

async function highest(size, options) {
  let [good, bad] = [0, HIGHEST];
  for (let halving = 0; halving < HALVINGS; halving += 1) {
    const rate = Math.round((good + bad) / 2);
    // One trial may be disturbed by whatever else runs.
    if ((await trial(size, rate, options)) || (await trial(size, rate, options))) good = rate;
    else bad = rate;
  }
  return good;
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
try {
  for (const size of SIZES) {
    const rates = { plain: [], recorded: [] };
    for (let round = 0; round < ROUNDS; round += 1) {
      rates.plain.push(await highest(size, []));
      rates.recorded.push(await highest(size, ['--record', join(folder, 'x.pcap')]));
    }
    const [plain, recorded] = [median(rates.plain), median(rates.recorded)];
    const ratio = recorded / plain;
    console.log(`${size} bytes: ${plain}/s, with --record ${recorded}/s: ratio ${ratio.toFixed(2)}, at least ${LEAST}`);
    if (ratio < LEAST) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
