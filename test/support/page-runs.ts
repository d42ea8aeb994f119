/** Runs the blocks of a page as its reader does: at terminals, in a folder and a network of their own. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { expect } from '@jest/globals';
import type { Block } from './pages.js';
import { PROGRAM_PATH } from './peers.js';
import { screen } from './screen.js';
import { commandLine, quote, type Running, shell, type Terminal, terminal } from './udpcat.js';

/** A folder and a network. Disposal ends all that was started there. */
export interface Place extends AsyncDisposable {
  /** Path of the folder in which commands run. */
  readonly folder: string;

  /** Starts a command line in a terminal of its own, 200 columns wide. Its stdout is all that the terminal shows. */
  start(line: string): Terminal;

  /** Starts a command line without a terminal, as cron does: stdin is open, stdout and stderr are pipes. */
  startUnattended(line: string): Running;

  /** Runs a command line to its end at a terminal. */
  run(line: string): Promise<Shown>;

  /** Runs a command line until `udpcat: listening on` or `udpcat: http on` shows, presses Ctrl-C, and waits for its end. */
  runServer(line: string): Promise<Shown>;

  /**
   * Runs blocks of `console`, each in a terminal, and compares what they show, see {@link comparable}.
   *
   * A command that serves or echoes is the last one of its block. It runs beside the blocks after it. If the block shows
   * `^C`, Ctrl-C is pressed at the end, and all that the server shows must stand in the block; otherwise the block shows
   * the lines up to a moment at which the server still runs.
   */
  replay(...blocks: readonly Block[]): Promise<void>;

  /**
   * Runs each line of blocks of `sh` as `run` or `runServer` does; comments are left out.
   *
   * @throws Error if one ends with a local failure (1) or a usage error (2), or a shell does not find the program
   */
  runLines(...blocks: readonly Block[]): Promise<void>;
}

/** A command line that has ended. */
export interface Shown {
  readonly status: number | null;
  /** Lines of the terminal, without trailing blanks and colours. */
  readonly lines: string[];
}

export interface PlaceOptions {
  /** Files of the folder by name, such as `{ 'rules.yaml': page.block('yaml').code }`. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * Addresses of the hosts that pages name. They are all this host, so that nothing leaves it: `eth0` and `eth1` are
 * interfaces to nowhere. `/run` and `/mnt` are empty.
 */
const NETWORK = [
  'set -e',
  'mount -t tmpfs none /mnt',
  'mount -t tmpfs none /run',
  'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad',
  'ip link set lo up',
  ...['192.0.2.1/24', '198.51.100.1/24'].flatMap((address, index) => [
    `ip link add eth${index} type veth peer name nowhere${index}`,
    `ip address add ${address} dev eth${index}`,
    `ip link set eth${index} addrgenmode none`,
    `ip address add fe80::1/64 dev eth${index} nodad`,
    `ip link set eth${index} up`,
    `ip link set nowhere${index} up`,
  ]),
  'ip route add default dev eth0',
  'echo ready',
  // Until stdin ends.
  'exec cat >/dev/null',
];

/** Makes a place; as root only, see `testInNamespaces`. */
export async function openPlace({ files = {} }: PlaceOptions = {}): Promise<Place> {
  const root = mkdtempSync(join(tmpdir(), 'udpcat-page-'));
  const folder = join(root, 'here');
  write(join(root, 'bin/udpcat'), `#!/bin/sh\nexec ${commandLine([])} "$@"\n`);
  write(join(root, 'bin/npx'), `#!/bin/sh\n[ "$1" = udpcat ] || exit 127\nexec "$@"\n`);
  mkdirSync(folder);
  for (const [name, text] of Object.entries(files)) write(join(folder, name), text);
  const network = shell(`exec unshare --net --mount sh -c ${quote(NETWORK.join('\n'))}`);
  await network.until('ready\n');
  const started = new Set<Running>();
  const env = { PATH: `${join(root, 'bin')}:${PROGRAM_PATH}` };
  const inside = (line: string): string =>
    `exec nsenter --target ${network.pid} --net --mount --wd=${quote(folder)} bash -c ${quote(line)}`;
  const follow = <T extends Running>(running: T): T => {
    started.add(running);
    return running;
  };

  const place: Place = {
    folder,
    start: (line) => follow(terminal(inside(line), { env })),
    startUnattended: (line) => follow(shell(inside(line), { env })),
    run: async (line) => await ended(place.start(line)),
    runServer: async (line) => {
      const server = place.start(line);
      await server.until(readyLine(line));
      server.type(CTRL_C);
      return await ended(server);
    },
    replay: async (...blocks) => {
      await replay(place, blocks);
    },
    runLines: async (...blocks) => {
      for (const line of blocks.flatMap(({ code }) => commandsOf(code))) {
        const { status, lines } = await (SERVES.test(line) ? place.runServer(line) : place.run(line));
        if (status === null || [1, 2, 126, 127].includes(status)) {
          throw new Error(`"${line}" ended with ${status ?? 'a signal'}:\n${lines.join('\n')}`);
        }
      }
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...started].map((running) => running[Symbol.asyncDispose]()));
      await network[Symbol.asyncDispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
  return place;
}

const CTRL_C = '\x03';

/** The line on stderr by which a server tells that it can be used. A relay starts its HTTP server last. */
const readyLine = (command: string): RegExp =>
  command.includes('--http') ? /udpcat: http on / : /udpcat: listening on /;

/** Whether a line starts a server, alone or as the first or last command of a pipeline. */
const SERVES = /(?:^|\| )(?:\w+=\S+ )?(?:npx )?udpcat (?:serve|echo|relay)\b/;

/** A command of a session, and the lines that the terminal shows of it. */
interface Step {
  readonly command: string;
  readonly shown: string[];
}

async function replay(place: Place, blocks: readonly Block[]): Promise<void> {
  const servers: (Step & { readonly running: Terminal })[] = [];
  for (const { command, shown } of blocks.flatMap(({ code }) => stepsOf(code))) {
    if (!SERVES.test(command)) {
      expectShown(command, (await place.run(command)).lines, shown);
      continue;
    }
    const running = place.start(command);
    await running.until(readyLine(command));
    servers.push({ command, shown, running });
  }
  for (const { command, shown, running } of servers) {
    const interrupted = shown.findIndex((line) => line.startsWith('^C'));
    await running.until(new RegExp(`^(?:[^\\n]*\\n){${interrupted < 0 ? shown.length : interrupted}}`));
    if (interrupted >= 0) running.type(CTRL_C);
    const lines = interrupted >= 0 ? (await ended(running)).lines : rows(await textOf(running));
    expectShown(command, lines, shown);
  }
}

/** Waits for the end of a command that was started in a place. */
export async function ended(running: Terminal): Promise<Shown> {
  const { status, stdout } = await running.outcome;
  return { status, lines: rows(stdout.toString()) };
}

async function textOf(running: Terminal): Promise<string> {
  return (await running.until(/^[^]*$/))[0];
}

function rows(text: string): string[] {
  const lines = screen(text).map((line) => line.trimEnd());
  if (lines.at(-1) === '') lines.pop();
  return lines;
}

/** Compares what a terminal shows of a command with what a page shows of it, see {@link comparable}. */
export function expectShown(command: string, lines: readonly string[], shown: readonly string[]): void {
  expect([command, ...comparable(lines)]).toEqual([command, ...comparable(shown)]);
}

/**
 * Lines of a terminal with the same words where runs differ: times, numbers with a fraction, rates, and ports from 32768
 * on, which the kernel chose. `^C`, the echo of Ctrl-C, is left out. A summary that is broken into lines becomes one line,
 * because the numbers decide where it is broken. The rows of a histogram become one line; a page may leave out some of them
 * and write `…`.
 */
export function comparable(lines: readonly string[]): string[] {
  return unfolded(lines)
    .map((line) =>
      line
        .replace(/^\^C/, '')
        .replace(/^(?:udpcat: +[\d.,]+ to +[\d.,]+ ms +[\d,]+(?: #+)?|…)$/, 'HISTOGRAM')
        .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z/g, 'TIME')
        .replaceAll(/(?<=[\d\]]:)(?:3276[89]|327[7-9]\d|32[89]\d\d|3[3-9]\d{3}|[4-6]\d{4})\b/g, 'PORT')
        .replaceAll(/\b(min|p\d+(?:\.\d)?|max|mean|jitter) [\d.]+/g, 'N')
        .replaceAll(/"(\w+Ms)":[\d.]+/g, '"$1":N')
        .replaceAll(/(?<![\d.])\d+\.\d+(?![\d.]*\d)/g, 'N')
        .replaceAll(/\b[\d,]+\/s\b/g, 'N/s')
        .replaceAll(/\b(?:\d+|N) (?=[kMG]?(?:B|bit)\/s|m?s\b)/g, 'N ')
        .trimEnd(),
    )
    .filter((line, index) => line !== '' || lines[index] !== '^C')
    .filter((line, index, all) => line !== 'HISTOGRAM' || all[index - 1] !== line);
}

/** Joins the lines of a summary that `fold` has broken. */
function unfolded(lines: readonly string[]): string[] {
  const joined: string[] = [];
  for (const line of lines) {
    const last = joined.at(-1) ?? '';
    const [, rest] = /^udpcat: {3}(\S.*)$/.exec(line) ?? [];
    if (rest !== undefined && /^(?:\^C)?udpcat: .*[,;]$/.test(last)) joined[joined.length - 1] = `${last} ${rest}`;
    else joined.push(line);
  }
  return joined;
}

/** The commands of a block of `sh`. */
export function commandsOf(code: string): string[] {
  return code
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .map((line) => line.replace(/(?:^|\s+)# .*$/, ''))
    .filter((line) => line !== '');
}

/** The commands of a block of `console`, which stand behind `$ `. */
export function stepsOf(code: string): [Step, ...Step[]] {
  const steps: Step[] = [];
  for (const line of code
    .replaceAll(/\\\n\s*/g, '')
    .trimEnd()
    .split('\n')) {
    if (line.startsWith('$ ')) steps.push({ command: line.slice(2), shown: [] });
    else steps.at(-1)?.shown.push(line);
  }
  const [first, ...others] = steps;
  if (first === undefined) throw new Error(`there is no line with "$ " in:\n${code}`);
  return [first, ...others];
}

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
  chmodSync(path, 0o755);
}
