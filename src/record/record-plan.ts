import type { RecordTarget } from './target.js';

/** How a recording is written to files. Without `rotateSize` and `rotateTime` it is one file. */
export interface RecordFilesPlan {
  /** Most bytes of one file of a row. */
  readonly rotateSize: number | undefined;
  /** Time that one file of a row covers, in milliseconds. */
  readonly rotateTime: number | undefined;
  /** How many files of a row stay. Default: all. */
  readonly keep: number | undefined;
  /** Whether a file that is there is replaced. Default: it is continued. */
  readonly recordReplace: true | undefined;
}

/** The options about a recording. */
export interface RecordPlan extends RecordFilesPlan {
  /** Default: nothing is recorded. */
  readonly record: RecordTarget | undefined;
}
