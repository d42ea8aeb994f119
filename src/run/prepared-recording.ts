import type { Endpoint } from '../net/index.js';
import { FileRecording } from '../record/file-recording.js';
import { loadFormat, type RecordFormat } from '../record/formats/table.js';
import { ForeignFileError } from '../record/record-error.js';
import type { RecordFilesPlan } from '../record/record-plan.js';
import type { RecordTarget } from '../record/target.js';
import { FileRow, OneFile, type RecordFiles } from '../record/record-files.js';
import type { Recording } from '../record/recording.js';
import { StdoutRecording } from '../record/stdout-recording.js';
import type { Context } from './context.js';
import { UsageError } from '../cli/usage-error.js';

/** A recording whose file was checked, and that is not open yet. */
export interface PreparedRecording {
  /**
   * Opens the recording.
   *
   * @param bound the address of the socket. It is recorded as the local address of datagrams whose own is not known.
   * @throws {UsageError} and {@link RecordError}, as {@link prepareRecording} does
   */
  open(bound: Endpoint): Promise<Recording>;
}

/**
 * Checks the file that a recording continues, before a socket is opened. If the last record of the file was cut off, that record
 * is removed, and a warning tells it.
 *
 * @param replayed a file that the run reads at the same time. It is neither written to nor removed.
 * @throws {UsageError} for a file that is no recording of udpcat
 * @throws {RecordError} for a file that cannot be read and written
 */
export async function prepareRecording(
  target: RecordTarget,
  plan: RecordFilesPlan,
  context: Pick<Context, 'log' | 'stdout'>,
  replayed?: string,
): Promise<PreparedRecording> {
  const format = await loadFormat(target.kind === 'stdout' ? 'pcap' : target.format);
  if (target.kind === 'stdout') {
    return {
      open: (bound) => Promise.resolve(new StdoutRecording(context.stdout, format.header, format.formats(bound))),
    };
  }
  const files = planFiles(target.path, format, { ...plan, replayed }, context);
  await asUsage(files.prepare());
  return {
    open: async (bound) => new FileRecording(files, await asUsage(files.first()), format.formats(bound)),
  };
}

function planFiles(
  path: string,
  format: RecordFormat,
  {
    rotateSize,
    rotateTime,
    keep,
    recordReplace,
    replayed,
  }: RecordFilesPlan & { readonly replayed: string | undefined },
  { log }: Pick<Context, 'log'>,
): RecordFiles {
  const warn = (message: string): void => {
    log.warn(message);
  };
  if (rotateSize === undefined && rotateTime === undefined) {
    return new OneFile(path, format, { replace: recordReplace === true, warn });
  }
  return new FileRow(path, format, { maxBytes: rotateSize, maxAgeMs: rotateTime, keep }, { replayed, warn });
}

/** Turns the error for a file of another program into a usage error that names the remedy. */
async function asUsage<Result>(work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof ForeignFileError)) throw error;
    throw new UsageError(
      `option '--record': ${error.message}, and nothing is added to it: record to another file, or replace it with --record-replace`,
    );
  }
}
