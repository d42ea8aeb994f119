import { systemCode } from '../net/errors.js';
import { DatagramError } from '../net/index.js';

/** The surroundings of this program fail it, for example a file that cannot be read: one line, status 1. */
export class LocalFailure extends Error {
  override readonly name: string = 'LocalFailure';

  /** The code in JSON: that of the system's error, else `FAILED`. */
  get code(): string {
    return systemCode(this.cause) ?? 'FAILED';
  }
}

/** A failure in words for the user, and its code. Undefined for a mistake in this program. */
export function describeFailure(error: unknown): { readonly code: string; readonly message: string } | undefined {
  if (error instanceof DatagramError) return { code: error.code, message: `${error.message}${remedy(error)}` };
  if (error instanceof LocalFailure) return { code: error.code, message: error.message };
  return undefined;
}

function remedy({ code, cause, message }: DatagramError): string {
  if (code === 'BROADCAST_FORBIDDEN') return '; allow it with --broadcast';
  if (code !== 'OPEN_FAILED' || !message.startsWith('cannot bind')) return '';
  if (systemCode(cause) === 'EADDRINUSE') return '; choose another port, or 0 for a free one';
  return systemCode(cause) === 'EACCES' ? '; ports below 1024 need privileges' : '';
}
