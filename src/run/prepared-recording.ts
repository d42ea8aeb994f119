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

/** A recording that is not open yet. */
export interface PreparedRecording {
  /**
   * Opens it.
   *
   * @param bound stands for the local address of datagrams whose own is not known
   * @throws {UsageError}, {@link RecordError}
   */
  open(bound: Endpoint): Promise<Recording>;
}

/**
 * Looks at the file that a recording continues, before anything is bound or sent: a record that was cut off at its end is
 * removed, and told.
 *
 * @param replayed A file that is read meanwhile: it is neither written to nor removed.
 * @throws {UsageError} for a file that holds something else
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

/** Turns the error for a file of another program into a usage error, which names the remedy. */
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
