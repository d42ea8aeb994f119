import type { Measurement } from '../../check/measurement.js';
import type { ExpectedReplies } from '../../check/expected-replies.js';
import type { NumberedPayloads } from '../../input/numbered-payload.js';
import type { Log } from '../../output/log.js';
import type { Io } from '../../run/context.js';
import type { Interruption } from '../../run/interruption.js';
import type { ReadTyping } from '../../run/typing.js';
import type { NotSent } from '../../stats/totals.js';
import type { Exchange } from '../exchange.js';
import type { PacePlan } from '../plan.js';

/** Tells the user about messages, for example why the rest was not sent, or that the next one is due much later. */
export type Notes = Pick<Log, 'info' | 'warn'>;

/** When messages are sent, and what ends the sending. */
export interface Pace extends PacePlan {
  /** Ends the sending. An interrupted wait throws it. */
  readonly interruption: Interruption;
  /** Set if round trips are measured. Then each message is sent alone. */
  readonly measurement: Measurement | undefined;
  readonly notes: Notes;
}

/** Options of a source. */
export interface SourceOptions {
  /** The process, for messages from stdin. */
  readonly io: Pick<Io, 'stdin'>;
  /** Ends the reading of files. */
  readonly interruption: Interruption;
  /** Reads the lines that the user types. Undefined: the lines of stdin are read as they come. */
  readonly readTyping: ReadTyping | undefined;
  /** The largest payload that can be sent, in bytes. */
  readonly limitBytes: number;
  /** Takes the expected replies of a recording. Undefined if replies are not compared. */
  readonly expected: ExpectedReplies | undefined;
  /** Called with the content of a recording that was not sent. */
  readonly notSent: (notSent: readonly NotSent[]) => void;
}

/** Messages of one kind, and how they are sent. */
export interface Source {
  /** The number of messages in a round. Undefined if messages are read while others are sent. */
  readonly rounds: number | undefined;
  /** Whether more than one message may be sent, so that round trips are measured. */
  readonly measures: boolean;
  /** The message that is sent again while no reply matches. Default: none. */
  readonly first?: Uint8Array | undefined;
  /** The generator of the messages, if they carry numbers by which echoes are matched. Default: they carry none. */
  readonly numbered?: NumberedPayloads | undefined;
  /**
   * Sends all messages, each at its time.
   *
   * @throws {UsageError} for a message that is too large for a datagram
   * @throws {DatagramError} for a message that the kernel does not take
   * @throws {LocalFailure} for messages that cannot be read
   * @throws the interruption of the pace, if it comes before the end
   */
  send(exchange: Exchange, pace: Pace): Promise<void>;
}
