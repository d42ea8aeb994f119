import type { FormatName } from '../output/formats/table.js';
import type { LogFormat, LogLevel } from '../output/log.js';
import type { RecordPlan } from '../record/record-plan.js';

/** The options that every run needs, whatever the command. */
export interface RunPlan extends LogPlan, BufferPlan, RecordPlan {
  /** Format of the datagrams on stdout. */
  readonly output: FormatName;
  /** Whether time and addresses stand before each datagram. Default: the command decides. */
  readonly meta: boolean | undefined;
  /** Whether the summary is told on stderr. Default: at a terminal, unless `quiet`. */
  readonly stats: boolean | undefined;
  /** Datagrams that wait at most between the socket and the command. */
  readonly queueSize: number;
  /** Whether dropped datagrams give status 7. Default: they do not. */
  readonly failOnDrop: true | undefined;
}

/** The options about stderr. */
export interface LogPlan {
  /** Default: `info`. */
  readonly logLevel: LogLevel | undefined;
  readonly logFormat: LogFormat;
  /** The same as the level `debug`. */
  readonly verbose: true | undefined;
  /** Only errors and announcements are told. */
  readonly quiet: true | undefined;
  /** Whether stdout and stderr have colours. Default: each of them at a terminal. */
  readonly color: boolean | undefined;
}

/** The kernel buffers that the user asked for, in bytes. */
export interface BufferPlan {
  readonly recvBuffer: number | undefined;
  readonly sendBuffer: number | undefined;
}
