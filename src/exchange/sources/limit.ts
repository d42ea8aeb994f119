import { UsageError } from '../../cli/usage-error.js';

/** Checks that a datagram holds a payload; `what` says whose it is. @throws {UsageError} */
export function checkPayload(what: string, { length }: Uint8Array, limitBytes: number): void {
  checkLimit(`${what} of ${length} bytes`, length, limitBytes);
}

/** Checks that a datagram holds so many bytes; `what` says of what. @throws {UsageError} */
export function checkLimit(what: string, bytes: number, limitBytes: number): void {
  if (bytes > limitBytes)
    throw new UsageError(`${what} is more than one datagram there holds: the limit is ${limitBytes}`);
}
