import { UsageError } from '../../cli/usage-error.js';

/**
 * Checks that a payload fits into a datagram.
 *
 * @param what the payload in words for the error, for example "a message"
 * @throws {UsageError} if it is too large
 */
export function checkPayload(what: string, { length }: Uint8Array, limitBytes: number): void {
  checkLimit(`${what} of ${length} bytes`, length, limitBytes);
}

/** Checks that a number of bytes fits into a datagram. See {@link checkPayload}. @throws {UsageError} if they are too many */
export function checkLimit(what: string, bytes: number, limitBytes: number): void {
  if (bytes > limitBytes)
    throw new UsageError(`${what} is more than a datagram to that address can hold: the limit is ${limitBytes}`);
}
