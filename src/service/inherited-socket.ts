import type { Io } from '../run/context.js';
import { LocalFailure } from '../text/failure.js';

/** The first descriptor that is passed (`SD_LISTEN_FDS_START`, sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3;

/** The child gets the socket as this one, and has no time to receive from it. */
const CHILD = `
  let found;
  try {
    found = require('node:dgram').createSocket('udp4').bind({ fd: ${FIRST_DESCRIPTOR} }).address();
  } catch ({ message }) {
    found = { message };
  }
  require('node:fs').writeSync(1, JSON.stringify(found));
  process.exit();
`;

/** How long it may take to find out what was passed, in milliseconds. */
const CHILD_MS = 10_000;

/** What the child writes: where the socket is bound, or what Node says of it. */
type Found =
  { readonly address: string; readonly port: number; readonly family: 'IPv4' | 'IPv6' } | { readonly message: string };

/** A socket that this process was started with. */
export interface InheritedSocket {
  readonly fd: number;
  /** The address that it is bound to, as `127.0.0.1:8000` or `[::1]:8000`. */
  readonly written: string;
}

/**
 * How many sockets a service manager passed to this process: `LISTEN_FDS`, if `LISTEN_PID` says that they are meant for
 * it (sd_listen_fds(3)).
 */
export function countInherited({ env, pid }: Io): number {
  const { LISTEN_FDS: count = '', LISTEN_PID: owner } = env;
  return owner === String(pid) && /^\d+$/.test(count) ? Number(count) : 0;
}

/**
 * The one socket that a service manager passed. Node tells the address of a socket only after it has adopted it as one of
 * IPv4 or of IPv6, for good; so a child looks first.
 *
 * @throws {LocalFailure} where there are several, or it is no UDP socket
 */
export async function findInherited(count: number, io: Io): Promise<InheritedSocket> {
  if (count > 1) {
    throw new LocalFailure(
      `cannot serve on ${count} sockets, which the service manager passed (LISTEN_FDS): one ListenDatagram= to a unit`,
    );
  }
  const found = await look(io);
  if ('message' in found) {
    const [, type] = /fd type: (TCP|PIPE|FILE|TTY)$/.exec(found.message) ?? [];
    throw new LocalFailure(
      `cannot serve on descriptor ${FIRST_DESCRIPTOR}, which the service manager passed: it is no UDP socket` +
        `${type === 'TCP' ? ', but TCP' : ''}; write ListenDatagram= in its .socket unit`,
    );
  }
  const { address, port, family } = found;
  const written = family === 'IPv6' ? `[${address}]:${port}` : `${address}:${port}`;
  return { fd: FIRST_DESCRIPTOR, written };
}

async function look({ execPath, env }: Io): Promise<Found> {
  const { spawnSync } = await import('node:child_process');
  const { NODE_OPTIONS: _meantForThisProcess, ...childEnv } = env;
  const { stdout, error } = spawnSync(execPath, ['-e', CHILD], {
    stdio: ['ignore', 'pipe', 'ignore', FIRST_DESCRIPTOR],
    env: childEnv,
    encoding: 'utf8',
    timeout: CHILD_MS,
    killSignal: 'SIGKILL',
    windowsHide: true,
  });
  if (error !== undefined || stdout === '') return { message: error?.message ?? '' };
  return JSON.parse(stdout) as Found;
}
