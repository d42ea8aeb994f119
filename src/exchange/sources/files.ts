import { readPayload, readPayloadFile } from '../../input/payload.js';
import { ReadingTime } from '../../input/reading-time.js';
import { describeSystemError } from '../../net/errors.js';
import { LocalFailure } from '../../text/failure.js';
import { type PacePlan, STDIN, type WaitPlan } from '../plan.js';
import { checkLimit } from './limit.js';
import { RoundsSource } from './rounds.js';
import type { Source, SourceOptions } from './source.js';
import { readStdin } from './stdin.js';

/** Options of {@link filesSource}. */
type FilesOptions = Pick<SourceOptions, 'io' | 'limitBytes' | 'interruption'>;

/**
 * Makes the source of messages from files. Each file is one message, and the path `-` is stdin.
 *
 * @throws {UsageError} for a file that is too large for a datagram
 * @throws {LocalFailure} for a file that cannot be read, and for a pipe that nobody ends within `--duration` or `--idle`
 */
export async function filesSource(
  paths: readonly string[],
  plan: PacePlan & Pick<WaitPlan, 'idle'>,
  options: FilesOptions,
): Promise<Source> {
  using time = new ReadingTime(plan, 'nothing was sent');
  const signal = AbortSignal.any([options.interruption.signal, time.signal]);
  return RoundsSource.of(await Promise.all(paths.map((path) => loadFile(path, options, signal))), plan);
}

async function loadFile(path: string, { io, limitBytes }: FilesOptions, signal: AbortSignal): Promise<Uint8Array> {
  let payload: Uint8Array;
  try {
    payload =
      path === STDIN
        ? await readPayload(readStdin(io.stdin), limitBytes)
        : await readPayloadFile(path, limitBytes, signal);
  } catch (cause) {
    if (cause instanceof LocalFailure) throw cause;
    throw new LocalFailure(`cannot read ${path}: ${describeSystemError(cause)}`, { cause });
  }
  checkLimit(`option '--file': ${path === STDIN ? 'stdin' : path}`, payload.length, limitBytes);
  return payload;
}
