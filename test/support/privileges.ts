/** Tells whether this process has the privilege CAP_NET_ADMIN, and starts commands without it (capabilities(7)). */
import { readFileSync } from 'node:fs';
import { platform } from 'node:os';
import { hasProgram } from './peers.js';
import { commandLine, quote, type Running, shell } from './udpcat.js';

const CAP_NET_ADMIN = 12n;

/** Whether this process has the privilege CAP_NET_ADMIN. */
export const administersNetwork =
  platform() === 'linux' &&
  ((BigInt(`0x${/^CapEff:\s*([\da-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`) >>
    CAP_NET_ADMIN) &
    1n) ===
    1n;

/** Starts udpcat without the privilege CAP_NET_ADMIN, also if the tests run as root. */
export function startUnprivileged(args: readonly string[]): Running {
  const without = ['setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin'];
  const drops = administersNetwork && hasProgram('setpriv');
  return shell(`exec ${drops ? `${without.map(quote).join(' ')} ` : ''}${commandLine(args)}`);
}
