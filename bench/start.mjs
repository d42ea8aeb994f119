// npm run bench:start [-- ROUNDS]
//
// Measures the CPU time of one `udpcat send` that expects a reply, as a multiple of that of an empty Node program. Sets
// beside it one run of other programs that ask once: nc, check_udp and dig. Shows the starts of the other commands, too.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { folder, hasProgram, run, udpcat } from './programs.mjs';
import { median, tableLines } from './table.mjs';

/** How much CPU time a send may take, as a multiple of that of the empty program. */
const MOST = 1.3;
const [ROUNDS = 40] = process.argv.slice(2).map(Number);

/** How many runs one measurement adds up: the shell counts whole milliseconds. */
const RUNS = 3;

/**
 * Returns the CPU time of a command in milliseconds: user and system time of all its threads. It is the time that the
 * kernel counted for the finished children of a shell, which is exact. Sampling /proc would not be.
 */
async function cpuTime(words, env = {}) {
  const script = `TIMEFORMAT='%3U %3S'; time for ((i = 0; i < ${RUNS}; i++)); do "$@" >/dev/null || exit; done`;
  const { err } = await run(['bash', '-c', script, 'bash', ...words], { env });
  const [user, system] = err.trim().split('\n').at(-1).split(' ').map(Number);
  return (1000 * (user + system)) / RUNS;
}

const empty = join(folder, 'empty.cjs');
writeFileSync(empty, '');

// The command keeps its compiled code here, not in the cache of the user.
process.env.XDG_CACHE_HOME = folder;

// It sends each datagram back. One that is long enough for a name query comes back as the response: with the bit QR set
// (RFC 1035 section 4.1.1), and without an answer.
const server = createSocket('udp4');
server.on('message', (data, { address, port }) => {
  if (data.length > 12) data[2] |= 0x80;
  server.send(data, port, address);
});
server.bind(0, '127.0.0.1');
await once(server, 'listening');
const port = String(server.address().port);

const send = [...udpcat, 'send', `127.0.0.1:${port}`, 'hi', '--expect', 'hi'];
// The folder of the plugins of Debian, which is not in the PATH of a user.
process.env.PATH += `${delimiter}/usr/lib/nagios/plugins`;
const programs = [
  { name: 'node empty.cjs', words: [process.execPath, empty] },
  { name: 'udpcat send', words: send },
  { name: 'udpcat send, compiled anew each time', words: send, env: { NODE_DISABLE_COMPILE_CACHE: '1' } },
  { name: 'nc -zu', needs: 'nc', words: ['nc', '-z', '-u', '-w', '1', '127.0.0.1', port] },
  {
    name: 'check_udp',
    needs: 'check_udp',
    words: ['check_udp', '-H', '127.0.0.1', '-p', port, '-s', 'hi', '-e', 'hi'],
  },
  { name: 'dig +short', needs: 'dig', words: ['dig', '+short', '@127.0.0.1', '-p', port, 'a.example'] },
  ...[
    ['--version'],
    ['--help'],
    // The next four end as soon as they have started.
    ['serve', '127.0.0.1:0', '--duration', '1ms'],
    ['echo', '127.0.0.1:0', '--duration', '1ms'],
    ['relay', '127.0.0.1:0', `127.0.0.1:${port}`, '--duration', '1ms'],
    ['watch', `127.0.0.1:${port}`, '--message', 'hi', '--expect', 'hi', '--checks', '1'],
  ].map((words) => ({ name: `udpcat ${words[0]}`, words: [...udpcat, ...words] })),
];

const present = programs.filter(({ needs }) => needs === undefined || hasProgram(needs));
// One run of each that does not count: it reads the files from the disk, and keeps the compiled code.
for (const { words, env } of present) await cpuTime(words, env);
const times = new Map(present.map(({ name }) => [name, []]));
for (let round = 0; round < ROUNDS; round++) {
  for (const { name, words, env } of present) times.get(name).push(await cpuTime(words, env));
}
const base = median(times.get('node empty.cjs'));
const rows = present.map(({ name }) => {
  const ms = median(times.get(name));
  return [name, ms.toFixed(1), (ms / base).toFixed(3)];
});
console.log(`CPU time of one run, median of ${ROUNDS} rounds, and its ratio to that of an empty program\n`);
console.log(tableLines(['program', 'ms', 'ratio'], rows).join('\n'));
for (const { name, needs } of programs) {
  if (!times.has(name)) console.log(`left out: ${name}: ${needs} is not installed`);
}
if (process.env.NODE_EXTRA_CA_CERTS !== undefined) {
  console.log('NODE_EXTRA_CA_CERTS is set: Node 20 reads these certificates at each start, so the ratio is smaller');
}
const ratio = median(times.get('udpcat send')) / base;
console.log(`\nratio ${ratio.toFixed(3)}, at most ${MOST.toFixed(2)}`);
if (ratio > MOST) process.exitCode = 1;
server.close();
