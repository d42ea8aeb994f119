// Finds, compiles, starts and ends the programs that the bench runs.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, delimiter, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** How long a program may take to be ready, and to end after a signal. */
const PATIENCE_MS = 10_000;
/** How long a program may run if nothing else is said. */
const LONGEST_MS = 120_000;

/** How long one measurement may take. The longest, of `watch`, takes ten minutes. */
export const MEASUREMENT_MS = 20 * 60_000;

const here = fileURLToPath(new URL('.', import.meta.url));
/** The first words of a command line that runs udpcat. */
export const udpcat = [process.execPath, join(here, '../dist/bin/udpcat.cjs')];

/** A folder for compiled programs and output. The bench removes it at the end. */
export const folder = mkdtempSync(join(tmpdir(), 'udpcat-bench-'));

const running = new Set();
process.on('exit', () => {
  for (const child of running) signalGroup(child, 'SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));

/** Sends a signal to a program and to all that it started: each program leads a process group. */
function signalGroup({ pid }, signal) {
  if (pid === undefined) return;
  try {
    process.kill(-pid, signal);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

/** Whether a program is on the PATH. */
export function hasProgram(name) {
  return process.env.PATH.split(delimiter).some((entry) => {
    try {
      accessSync(join(entry, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Compiles the programs in C. Returns the path of each program by its name; an empty object without a compiler. */
export async function compile() {
  if (!hasProgram('cc')) return {};
  const sources = readdirSync(join(here, 'c')).filter((name) => name.endsWith('.c'));
  const paths = {};
  for (const source of sources) {
    const name = basename(source, '.c');
    paths[name] = join(folder, name);
    await run(['cc', '-O2', '-o', paths[name], join(here, 'c', source)]);
  }
  return paths;
}

/** The first words of command lines that run the programs with node:dgram, by their name. */
export const dgram = Object.fromEntries(
  ['send', 'send-json', 'receive', 'echo'].map((name) => [
    name,
    [process.execPath, join(here, 'dgram', `${name}.mjs`)],
  ]),
);

/** The first words of a command line that the kernel ends together with the bench, also when the bench is killed by SIGKILL. */
const endingWithBench = hasProgram('setpriv') ? ['setpriv', '--pdeathsig', 'KILL'] : [];

/**
 * Starts a program. In the result `said` is its output so far, and `ended` resolves to its output when it has ended. It is
 * killed when the bench ends, however the bench ends. Start programs only by this function.
 *
 * @param {string[]} argv
 * @param {object} [options]
 * @param {'ignore' | 'pipe' | number} [options.stdin] `ignore` is /dev/null, a number is an open file. Default: `ignore`.
 * @param {'ignore' | 'pipe' | number} [options.stdout] As `stdin`. Default: `pipe`.
 * @param {Record<string, string>} [options.env] Variables beside those of the bench.
 * @param {number} [options.limitMs] The program is killed after this time. Default: two minutes.
 */
export function start(argv, { stdin = 'ignore', stdout = 'pipe', env = {}, limitMs = LONGEST_MS } = {}) {
  const [program, ...args] = [...endingWithBench, ...argv];
  const child = spawn(program, args, {
    stdio: [stdin, stdout, 'pipe'],
    env: { ...process.env, ...env },
    detached: true,
  });
  running.add(child);
  const said = { out: '', err: '' };
  child.stdout?.setEncoding('utf8').on('data', (text) => (said.out += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (said.err += text));
  const timer = setTimeout(() => signalGroup(child, 'SIGKILL'), limitMs);
  const ended = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', () => {
      clearTimeout(timer);
      signalGroup(child, 'SIGKILL');
      running.delete(child);
      resolve(said);
    });
  });
  return { argv, child, pid: child.pid, said, ended };
}

/** Runs a program to its end. Returns its output. @param {Parameters<typeof start>[1]} [options] */
export async function run(argv, options) {
  const program = start(argv, options);
  const said = await program.ended;
  if (program.child.exitCode !== 0) throw new Error(`${argv.join(' ')} failed: ${said.err}${said.out}`);
  return said;
}

/** Runs a program that writes one JSON object to stdout. Returns the object. @param {Parameters<typeof start>[1]} [options] */
export async function runForJson(argv, options) {
  return JSON.parse((await run(argv, options)).out);
}

/** Sends a signal to a program, and SIGKILL if it does not end in time. Returns its output. */
export async function stop(program, signal = 'SIGTERM') {
  signalGroup(program.child, signal);
  const timer = setTimeout(() => signalGroup(program.child, 'SIGKILL'), PATIENCE_MS);
  const said = await program.ended;
  clearTimeout(timer);
  return said;
}

async function waitUntil(holds, what, program) {
  const endMs = Date.now() + PATIENCE_MS;
  while (!holds()) {
    if (program.child.exitCode !== null || Date.now() > endMs) {
      throw new Error(`${program.argv.join(' ')}: ${what} in vain: ${program.said.err}`);
    }
    await delay(2);
  }
}

/** Waits for the line "listening on ADDRESS:PORT" of udpcat or of the bench's own servers. Returns the port. */
export async function portOf(program) {
  const pattern = /listening on (?:[\d.]+|\[\S+\]):(\d+)\D/;
  await waitUntil(() => pattern.test(program.said.err), 'waited for its port', program);
  return Number(pattern.exec(program.said.err)[1]);
}

/** Starts tcpdump on the loopback, with times in nanoseconds. Resolves when it captures. `how`: more options of tcpdump. */
export async function startCapture(filter, how, { limitMs } = {}) {
  const all = ['-i', 'lo', '-n', '-B', '8192', '--time-stamp-precision=nano', ...how];
  const program = start(['tcpdump', ...all, filter], { limitMs });
  await waitUntil(() => program.said.err.includes('listening on'), 'waited for the start of its capture', program);
  return program;
}

/** Returns a port that is free for UDP and TCP, for programs that cannot let the kernel choose one. */
export async function freePort() {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const { port } = server.address();
  const socket = createSocket('udp4');
  socket.bind(port);
  const isFree = await once(socket, 'listening').then(
    () => true,
    () => false,
  );
  socket.close();
  server.close();
  await Promise.all([once(socket, 'close'), once(server, 'close')]);
  return isFree ? port : freePort();
}

/** Returns the columns of a port in the kernel's table of sockets, in the network of the program (proc_net(5)). */
function socketOn(port, program, table) {
  const end = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['', '6']
    .flatMap((family) => linesOf(`/proc/${program.pid}/net/${table}${family}`))
    .map((line) => line.trim().split(/\s+/))
    .find(([, local]) => local?.endsWith(end));
}

/** Returns the lines of a table without its heading. None if the program of the table has ended. */
function linesOf(path) {
  try {
    return readFileSync(path, 'latin1').split('\n').slice(1);
  } catch {
    return [];
  }
}

/** Waits until a program is bound to a port. For programs that do not write a line when they are. */
export async function waitForPort(port, program, table = 'udp') {
  await waitUntil(() => socketOn(port, program, table) !== undefined, `waited for its port ${port}`, program);
}

/** Waits until the program has read all datagrams that the kernel holds for the socket on a port. */
export async function waitUntilRead(port, program) {
  const waiting = () => Number.parseInt(socketOn(port, program, 'udp')?.[4].split(':')[1] ?? '0', 16);
  await waitUntil(() => waiting() === 0, 'waited until it had read everything', program);
}
