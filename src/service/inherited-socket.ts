import type { Io } from '../run/context.js';
import { LocalFailure } from '../text/failure.js';

/** The file descriptor of the first passed socket (`SD_LISTEN_FDS_START`, sd_listen_fds(3)). */
const FIRST_DESCRIPTOR = 3;

/**
 * The program of the child. It inherits the socket under the same descriptor, writes the address, and exits before it could
 * receive a datagram.
 */
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

/** The time limit of the child. */
const CHILD_MS = 10_000;

/** The output of the child: the address of the socket, or the error of Node. */
type Found =
  { readonly address: string; readonly port: number; readonly family: 'IPv4' | 'IPv6' } | { readonly message: string };

/** A bound socket that a service manager passed to this process. */
export interface InheritedSocket {
  readonly fd: number;
  /** The address that it is bound to, for example `127.0.0.1:8000` or `[::1]:8000`. */
  readonly written: string;
}

/**
 * How many sockets a service manager passed to this process: the number in `LISTEN_FDS` (sd_listen_fds(3)). 0 if
 * `LISTEN_PID` is not this process, because then they are for another one.
 */
export function countInherited({ env, pid }: Io): number {
  const { LISTEN_FDS: count = '', LISTEN_PID: owner } = env;
  return owner === String(pid) && /^\d+$/.test(count) ? Number(count) : 0;
}

/**
 * Finds the socket that a service manager passed. Node must know the family of a socket before it adopts the socket, but tells
 * the address only afterwards. So a child process adopts the socket first, and tells the family.
 *
 * @param count the result of {@link countInherited}, at least 1
 * @throws {LocalFailure} for several sockets, and for one that is no UDP socket
 */
export async function findInherited(count: number, io: Io): Promise<InheritedSocket> {
  if (count > 1) {
    throw new LocalFailure(
      `cannot serve on ${count} sockets, which the service manager passed (LISTEN_FDS): write one ListenDatagram= in a .socket unit`,
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

async function look({ evaluate: [program, ...args], env }: Io): Promise<Found> {
  const { spawnSync } = await import('node:child_process');
  const { NODE_OPTIONS: _meantForThisProcess, ...childEnv } = env;
  const { stdout, error } = spawnSync(program, [...args, CHILD], {
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
