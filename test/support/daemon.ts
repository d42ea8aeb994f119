/** Real services, in a folder and on a port of their own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { GRACE_MS, HANG_MS } from './limits.js';
import { PROGRAM_PATH } from './peers.js';
import { closedPort } from './sockets.js';

/** A service that runs. */
export interface Daemon extends AsyncDisposable {
  readonly port: number;
  /** Where it listens, on the IPv4 loopback. */
  readonly address: string;
  /** What it has written so far, to stdout and stderr. */
  output(): string;
  kill(signal: NodeJS.Signals): void;
}

/** What a service is started with. */
export interface DaemonOptions {
  readonly program: string;
  /** Files to be written into its folder first, by name, such as `config/name`. */
  readonly files?: (place: Place) => Readonly<Record<string, string>>;
  readonly args: (place: Place) => readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What is its own. */
export interface Place {
  /** A port that nobody else has. */
  readonly port: number;
  /** A folder that is removed afterwards, open to whatever user the service becomes. */
  readonly folder: string;
}

/** Starts a service in the foreground; resolves as soon as its UDP port is bound, rejects with what it wrote if it ends before. */
export async function startDaemon({ program, files, args, env = {} }: DaemonOptions): Promise<Daemon> {
  const place = { port: await closedPort(), folder: mkdtempSync(join(tmpdir(), 'udpcat-daemon-')) };
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
      // SIGTERM first: what is killed outright leaves its own children behind.
      child.kill('SIGTERM');
      const timer = setTimeout(() => {
        child.kill('SIGKILL');
        // Such a child would keep 'close' away.
        child.stdout.destroy();
        child.stderr.destroy();
      }, GRACE_MS);
      await end;
      clearTimeout(timer);
    }
    rmSync(place.folder, { recursive: true, force: true });
  };
  // Nothing tells when another program has bound its port.
  const giveUpMs = performance.now() + HANG_MS;
  while (!isBound(place.port)) {
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

/** Whether a UDP socket of either family has the port. */
function isBound(port: number): boolean {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  return ['/proc/net/udp', '/proc/net/udp6'].some((table) =>
    readFileSync(table, 'utf8')
      .split('\n')
      .some((line) => line.trim().split(/\s+/)[1]?.endsWith(suffix)),
  );
}
