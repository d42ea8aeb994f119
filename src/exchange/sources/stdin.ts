import type { Readable } from 'node:stream';
import { describeSystemError } from '../../net/errors.js';
import { LocalFailure } from '../../text/failure.js';

/** Reads stdin in chunks of bytes. @throws {LocalFailure} if it cannot be read */
export async function* readStdin(stdin: Readable): AsyncGenerator<Uint8Array, undefined> {
  try {
    for await (const chunk of stdin) yield chunk as Uint8Array;
  } catch (cause) {
    throw new LocalFailure(`cannot read stdin: ${describeSystemError(cause)}`, { cause });
  }
}
