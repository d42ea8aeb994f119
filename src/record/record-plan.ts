import type { RecordTarget } from './target.js';

/** How a recording is written to files: to a row of files with `rotateSize` or `rotateTime`, otherwise to one file. */
export interface RecordFilesPlan {
  /** The maximum number of bytes of one file of a row, at least 1. Default: no limit. */
  readonly rotateSize: number | undefined;
  /** How long one file of a row takes records, in milliseconds. Default: no limit. */
  readonly rotateTime: number | undefined;
  /** The maximum number of files of a row that are kept, at least 1. Default: all. */
  readonly keep: number | undefined;
  /** Whether an existing file is replaced. Default: it is continued. */
  readonly recordReplace: true | undefined;
}

/** The options about a recording. */
export interface RecordPlan extends RecordFilesPlan {
  /** Where to record to. Default: nothing is recorded. */
  readonly record: RecordTarget | undefined;
}
