// npm run bench:loop
//
// Measures how long two servers respond to each other. A forged source address can start such a loop; here a program
// between the servers starts it and sends each response of one server to the other.
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { folder, portOf, start, stop, udpcat } from './programs.mjs';

/** The loop guards must end the loop within this time. */
const LIMIT_MS = 1000;
/** Two servers count as silent when nothing has passed for this long. It is longer than any guard remembers. */
const SILENCE_MS = 3000;
/** A pair that goes on for longer than this is stopped. */
const HANG_MS = 30_000;

const rules = join(folder, 'rules.yaml');
writeFileSync(rules, "rules: []\ndefault:\n  answer: '{counter} {data}'\n");
const SERVERS = {
  echo: ['echo', '127.0.0.1:0'],
  'serve --reply': ['serve', '127.0.0.1:0', '--reply', 'x', '-o', 'none'],
  'serve --rules': ['serve', '127.0.0.1:0', '--rules', rules, '-o', 'none'],
};
const PAIRS = [
  ['echo', 'echo'],
  ['echo', 'serve --reply'],
  ['echo', 'serve --rules'],
  ['serve --reply', 'serve --reply'],
  ['serve --reply', 'serve --rules'],
];

/** Starts a server. Resolves when it listens. */
async function serve(args, engine) {
  const program = start([...udpcat, ...args, '--engine', engine], { stdout: 'ignore' });
  return { program, port: await portOf(program) };
}

/**
 * Passes datagrams between two servers until they are silent. Returns how many it passed, and the time of the last one.
 */
async function carry(ports) {
  const sockets = ports.map(() => createSocket('udp4'));
  for (const socket of sockets) {
    socket.bind(0, '127.0.0.1');
    await once(socket, 'listening');
  }
  const startMs = performance.now();
  let passed = 0;
  let lastMs = startMs;
  // Socket `nth` talks to server `nth`. The other socket sends on what this one receives.
  sockets.forEach((socket, nth) => {
    const other = 1 - nth;
    socket.on('message', (payload) => {
      passed += 1;
      lastMs = performance.now();
      sockets[other].send(payload, ports[other], '127.0.0.1');
    });
  });
  sockets[0].send('hello', ports[0], '127.0.0.1');
  let silent = false;
  while (!silent && performance.now() - startMs < HANG_MS) {
    await sleep(100);
    silent = performance.now() - lastMs >= SILENCE_MS;
  }
  for (const socket of sockets) socket.close();
  return { passed, ms: lastMs - startMs, silent };
}

console.log('engine  servers                          datagrams  silent after');
for (const engine of ['node', 'linux'])
  for (const pair of PAIRS) {
    const servers = await Promise.all(pair.map((name) => serve(SERVERS[name], engine)));
    const { passed, ms, silent } = await carry(servers.map(({ port }) => port));
    for (const { program } of servers) await stop(program);
    const holds = silent && ms <= LIMIT_MS;
    if (!holds) process.exitCode = 1;
    const when = silent ? `${ms.toFixed(0)} ms` : `not within ${HANG_MS} ms`;
    const columns = [engine.padEnd(6), pair.join(' and ').padEnd(31), String(passed).padStart(10), when.padStart(12)];
    console.log([...columns, ...(holds ? [] : [`more than ${LIMIT_MS} ms`])].join('  '));
  }
process.exit();
