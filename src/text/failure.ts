import { platform } from 'node:os';
import { isMulticast, LIMITED_BROADCAST } from '../net/address/endpoint.js';
import { anyInterface } from '../net/address/interfaces.js';
import { systemCode } from '../net/errors.js';
import { DatagramError } from '../net/index.js';

/**
 * A failure outside this program, for example a file that cannot be read. The user sees the message as one line, and
 * the exit status is 1.
 */
export class LocalFailure extends Error {
  override readonly name: string = 'LocalFailure';

  /** The code for JSON output: the code of the system's error in `cause`, otherwise `FAILED`. */
  get code(): string {
    return systemCode(this.cause) ?? 'FAILED';
  }
}

/**
 * Returns the code and the message of a failure, with a remedy where there is one. Returns undefined for any other
 * error, which is a mistake in this program.
 */
export function describeFailure(error: unknown): { readonly code: string; readonly message: string } | undefined {
  if (error instanceof DatagramError) return { code: error.code, message: `${error.message}${remedy(error)}` };
  if (error instanceof LocalFailure) return { code: error.code, message: error.message };
  return undefined;
}

/** The command that lists UDP sockets with their programs. */
const LISTS: Partial<Record<NodeJS.Platform, string>> & { readonly darwin: string } = {
  linux: 'ss -ulpn',
  darwin: 'lsof -nP -iUDP',
  win32: 'netstat -ano -p UDP',
};

function remedy({ code, cause, message, peer }: DatagramError): string {
  if (code === 'BROADCAST_FORBIDDEN') return '; allow it with --broadcast';
  if (systemCode(cause) === 'ENETUNREACH' && peer !== undefined && isForMany(peer.address)) {
    return `; name the interface by which it leaves: --interface ${anyInterface()}`;
  }
  if (message.startsWith('cannot join') && systemCode(cause) === 'ENODEV') return `, or --interface ${anyInterface()}`;
  if (code !== 'OPEN_FAILED' || !message.startsWith('cannot bind')) return '';
  if (systemCode(cause) === 'EADDRINUSE') {
    return `; choose another port, or 0 for a free one; ${LISTS[platform()] ?? LISTS.darwin} shows which program holds it; ${describeSharing(message)}`;
  }
  return systemCode(cause) === 'EACCES' ? '; ports below 1024 need privileges' : '';
}

/** Whether a port that another program holds can be shared. @param message the error, which begins with the address */
function describeSharing(message: string): string {
  if (/^cannot bind (?:\*|0\.0\.0\.0|\[::\]):/.test(message)) {
    return 'if that program shares it for groups or broadcasts, add --reuse-address';
  }
  return 'two sockets cannot share it: only the one bound last would get the datagrams';
}

/** Whether a route alone says by which interface datagrams to the address leave: a group without a zone, or 255.255.255.255. */
function isForMany(address: string): boolean {
  return (isMulticast(address) && !address.includes('%')) || address === LIMITED_BROADCAST;
}
