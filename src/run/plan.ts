import type { FormatName } from '../output/formats/table.js';
import type { LogFormat, LogLevel } from '../output/log.js';
import type { Numbering } from './exit-code.js';
import type { RecordPlan } from '../record/record-plan.js';

/** The options of every run. */
export interface RunPlan extends LogPlan, BufferPlan, RecordPlan {
  /** The format of the datagrams on stdout. */
  readonly output: FormatName;
  /** Whether time and addresses are written before each datagram. Default: the command decides. */
  readonly meta: boolean | undefined;
  /** Whether the summary is written to stderr. Default: only at a terminal, and not with `quiet`. */
  readonly stats: boolean | undefined;
  /** The maximum number of datagrams that wait between the socket and the command. */
  readonly queueSize: number;
  /** Whether dropped datagrams make the exit status 7. Default: they do not. */
  readonly failOnDrop: true | undefined;
}

/** The options about stderr. */
export interface LogPlan {
  /** Default: `info`. */
  readonly logLevel: LogLevel | undefined;
  readonly logFormat: LogFormat;
  /** The same as the level `debug`. */
  readonly verbose: true | undefined;
  /** Only errors and the listening line are written. */
  readonly quiet: true | undefined;
  /** The numbering of exit statuses. With `nagios` stderr is empty, unless the user asked for details. Default: `udpcat`. */
  readonly exitCode?: Numbering;
  /** Whether the user asked for an explanation on stderr. */
  readonly explain?: true | undefined;
  /** Whether stdout and stderr have colours. Default: each of them if it is a terminal. */
  readonly color: boolean | undefined;
}

/** The sizes of the kernel buffers that the user asked for, in bytes. Undefined: the default of the engine. */
export interface BufferPlan {
  readonly recvBuffer: number | undefined;
  readonly sendBuffer: number | undefined;
}
