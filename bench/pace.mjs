// npm run bench:pace [-- SECONDS [RATE]]
//
// Measures how punctually `udpcat send --rate` sends, by tcpdump's timestamps on the loopback. Needs tcpdump and the
// right to capture. On a busy machine run `chrt -f 10 npm run bench:pace`: a high priority shows the figures of a quiet
// machine.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { hasProgram, start, startCapture, stop, udpcat } from './programs.mjs';

/** Size of a payload in bytes. */
const SIZE = 64;
/** How long to send, in seconds, and at which rate, in datagrams a second. */
const [seconds = 60, rate = 1000] = process.argv.slice(2).map(Number);

/** How much the number of datagrams may be off, as a fraction. */
const MOST_OFF = 0.001;
/** How late the 99th percentile of the datagrams may be. */
const MOST_LATE_MS = 2;

/** How long to wait for the last lines of tcpdump. */
const FLUSH_MS = 1500;
/** The programs are killed if they take so much longer than the sending. */
const PATIENCE_MS = 60_000;

if (!(seconds > 0 && rate > 0)) throw new Error('usage: npm run bench:pace -- [seconds [datagrams a second]]');
if (!hasProgram('tcpdump')) throw new Error('tcpdump is not installed');

const receiver = createSocket({ type: 'udp4', recvBufferSize: 4_000_000 });
receiver.on('message', () => undefined);
receiver.bind(0, '127.0.0.1');
await once(receiver, 'listening');
const { port } = receiver.address();

const limits = { limitMs: seconds * 1000 + PATIENCE_MS };
const dump = await startCapture(`udp and dst port ${port}`, ['-tt', '-q', '-l', '-s', '64'], limits);
const args = ['send', `127.0.0.1:${port}`, '--size', String(SIZE), '--rate', `${rate}/s`, '--duration', `${seconds}s`];
const send = start([...udpcat, ...args], limits);
process.stderr.write((await send.ended).err);
await delay(FLUSH_MS);
const captured = await stop(dump, 'SIGINT');
receiver.close();

/** When each datagram passed the loopback, in milliseconds since the second of the first one. */
const times = [];
let firstSecond;
for (const [, whole, nanos, bytes] of captured.out.matchAll(/^(\d+)\.(\d{9}) .* length (\d+)$/gm)) {
  firstSecond ??= Number(whole);
  // Datagrams that were due together leave as segments of one packet, which tcpdump shows as one.
  for (let left = Number(bytes); left > 0; left -= SIZE) {
    times.push((Number(whole) - firstSecond) * 1000 + Number(nanos) / 1e6);
  }
}

const wanted = Math.round(seconds * rate);
// The moment of the start is not known. No datagram leaves early, so the most punctual one counts as exactly punctual.
const behind = times.map((ms, index) => ms - (index * 1000) / rate);
const beginMs = behind.reduce((least, ms) => Math.min(least, ms), Infinity);
const late = behind.map((ms) => ms - beginMs).sort((a, b) => a - b);
const percentile = (p) => late[Math.max(0, Math.ceil((late.length * p) / 100) - 1)] ?? NaN;

/** The drift compares medians of the first and the last tenth, so that one late datagram does not count as drift. */
const tenth = Math.max(1, Math.floor(behind.length / 10));
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN;
const driftMs = median(behind.slice(-tenth)) - median(behind.slice(0, tenth));

console.log(`status ${send.child.exitCode}, ${times.length} of ${wanted} datagrams in ${seconds} s at ${rate}/s`);
console.log(`drift ${driftMs.toFixed(3)} ms, from the first tenth of the run to the last`);
for (const p of [50, 90, 99, 99.9]) console.log(`late p${String(p).padEnd(4)} ${percentile(p).toFixed(3)} ms`);
console.log(`late max   ${(late.at(-1) ?? NaN).toFixed(3)} ms`);
console.log(captured.err.trim().split('\n').slice(-3).join('; '));
const good = Math.abs(times.length - wanted) <= wanted * MOST_OFF && percentile(99) <= MOST_LATE_MS;
if (!good) {
  console.log(`not within ${MOST_OFF * 100} % of the count and ${MOST_LATE_MS} ms at p99: is the machine quiet?`);
  process.exitCode = 1;
}
