import { StreamError } from '../input/message-stream.js';
import { systemCode } from '../net/errors.js';
import { DatagramError } from '../net/index.js';
import { RecordError } from '../record/record-error.js';

/** A local failure of this program's surroundings, such as a file that cannot be read: told in one line, status 1. */
export class LocalFailure extends Error {
  override readonly name = 'LocalFailure';
}

/** A failure in the words that the user gets, with its code; undefined for what only a mistake in this program can cause. */
export function describeFailure(error: unknown): { readonly code: string; readonly message: string } | undefined {
  if (error instanceof DatagramError) return { code: error.code, message: `${error.message}${remedy(error)}` };
  if (error instanceof StreamError) return { code: 'BAD_INPUT', message: error.message };
  if (error instanceof LocalFailure || error instanceof RecordError)
    return { code: systemCode(error.cause) ?? 'FAILED', message: error.message };
  return undefined;
}

function remedy({ code, cause, message }: DatagramError): string {
  if (code === 'BROADCAST_FORBIDDEN') return '; allow it with --broadcast';
  if (code !== 'OPEN_FAILED' || !message.startsWith('cannot bind')) return '';
  if (systemCode(cause) === 'EADDRINUSE') return '; choose another port, or 0 for a free one';
  return systemCode(cause) === 'EACCES' ? '; ports below 1024 need privileges' : '';
}
