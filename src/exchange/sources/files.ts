import { readPayload, readPayloadFile } from '../../input/payload.js';
import { describeSystemError } from '../../net/errors.js';
import type { Io } from '../../run/context.js';
import { LocalFailure } from '../../text/failure.js';
import { type PacePlan, STDIN } from '../plan.js';
import { checkLimit } from './limit.js';
import { RoundsSource } from './rounds.js';
import type { Source } from './source.js';
import { readStdin } from './stdin.js';

/**
 * Makes the source of messages from files. Each file is one message, and the path `-` is stdin.
 *
 * @throws {UsageError} for a file that is too large for a datagram
 * @throws {LocalFailure} for a file that cannot be read
 */
export async function filesSource(
  paths: readonly string[],
  plan: PacePlan,
  io: Pick<Io, 'stdin'>,
  limitBytes: number,
): Promise<Source> {
  return RoundsSource.of(await Promise.all(paths.map((path) => loadFile(path, io, limitBytes))), plan);
}

async function loadFile(path: string, io: Pick<Io, 'stdin'>, limitBytes: number): Promise<Uint8Array> {
  let payload: Uint8Array;
  try {
    payload =
      path === STDIN ? await readPayload(readStdin(io.stdin), limitBytes) : await readPayloadFile(path, limitBytes);
  } catch (cause) {
    if (cause instanceof LocalFailure) throw cause;
    throw new LocalFailure(`cannot read ${path}: ${describeSystemError(cause)}`, { cause });
  }
  checkLimit(`option '--file': ${path === STDIN ? 'stdin' : path}`, payload.length, limitBytes);
  return payload;
}
