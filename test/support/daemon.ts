/** Starts real services, each in a folder and on a port of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GRACE_MS, HANG_MS } from './limits.js';
import { PROGRAM_PATH } from './peers.js';
import { closedPort, type Family } from './sockets.js';

/** A running service. */
export interface Daemon extends AsyncDisposable {
  readonly port: number;
  /** Its address on the IPv4 loopback. */
  readonly address: string;
  /** Returns all that it has written to stdout and stderr so far. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
}

/** Options of {@link startDaemon}. */
export interface DaemonOptions {
  readonly program: string;
  /** The texts of files to write into its folder before the start, by path, for example `config/name`. */
  readonly files?: (place: Place) => Readonly<Record<string, string>>;
  readonly args: (place: Place) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: a free port. */
  readonly port?: number;
  /** The protocol of the port. Default: `udp`. */
  readonly protocol?: 'udp' | 'tcp';
  /** The families in which it is to bind its port, one after the other. Default: either. */
  readonly families?: readonly Family[];
}

/** The port and the folder of a service. */
export interface Place {
  /** The port that it is to bind. */
  readonly port: number;
  /** A folder that every user can write to, because the service may change its user. It is removed at the end. */
  readonly folder: string;
}

/**
 * Starts a service in the foreground. Resolves when its port is bound; rejects with its output if it ends before.
 */
export async function startDaemon({
  program,
  files,
  args,
  env = {},
  port,
  protocol = 'udp',
  families,
}: DaemonOptions): Promise<Daemon> {
  const place = { port: port ?? (await closedPort()), folder: mkdtempSync(join(tmpdir(), 'udpcat-daemon-')) };
  chmodSync(place.folder, 0o777);
  for (const [name, text] of Object.entries(files?.(place) ?? {})) {
    const path = join(place.folder, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  const child = spawn(program, args(place), {
    cwd: place.folder,
    env: { PATH: PROGRAM_PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const ended = new AbortController();
  child.once('close', () => {
    ended.abort();
  });
  child.once('error', (error) => {
    output += error.message;
    ended.abort();
  });
  const stop = async (): Promise<void> => {
    if (!ended.signal.aborted) {
      const end = once(ended.signal, 'abort');
      // SIGTERM first: a service that is killed by SIGKILL cannot end its own children.
      child.kill('SIGTERM');
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        // A child that still holds the pipes would delay the event 'close' for ever.
        child.stdout.destroy();
        child.stderr.destroy();
      }, GRACE_MS);
      await end;
      clearTimeout(timer);
    }
    rmSync(place.folder, { recursive: true, force: true });
  };
  // No event tells when another program has bound its port, so this looks again and again.
  const giveUpMs = performance.now() + HANG_MS;
  const isReady = (): boolean =>
    families === undefined
      ? isBound(protocol, place.port, 4) || isBound(protocol, place.port, 6)
      : families.every((family) => isBound(protocol, place.port, family));
  while (!isReady()) {
    if (ended.signal.aborted || performance.now() > giveUpMs) {
      await stop();
      throw new Error(`${program} did not bind port ${place.port}:\n${output}`);
    }
    await delay(10);
  }
  return {
    port: place.port,
    address: `127.0.0.1:${place.port}`,
    output: () => output,
    kill: (signal) => {
      child.kill(signal);
    },
    [Symbol.asyncDispose]: stop,
  };
}

/** Whether a socket of a family is bound to the port; with TCP it must listen. */
function isBound(protocol: 'udp' | 'tcp', port: number, family: Family): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return readFileSync(`/proc/net/${protocol}${family === 6 ? '6' : ''}`, 'utf8')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .some(([, local, , state]) => local?.endsWith(suffix) === true && (protocol === 'udp' || state === LISTENING));
}

/** The state of a TCP socket that listens, in proc(5). */
const LISTENING = '0A';
