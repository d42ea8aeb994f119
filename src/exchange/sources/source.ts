import type { Measurement } from '../../check/measurement.js';
import type { ExpectedReplies } from '../../check/expected-replies.js';
import type { NumberedPayloads } from '../../input/numbered-payload.js';
import type { Log } from '../../output/log.js';
import type { Io } from '../../run/context.js';
import type { Interruption } from '../../run/interruption.js';
import type { NotSent } from '../../stats/totals.js';
import type { Exchange } from '../exchange.js';
import type { PacePlan } from '../plan.js';

/** Tells the user about messages: why one is not sent, or that the next is due much later. */
export type Notes = Pick<Log, 'info' | 'warn'>;

/** When messages are sent, and what ends that. */
export interface Pace extends PacePlan {
  /** Ends the sending; thrown by what it interrupts. */
  readonly interruption: Interruption;
  /** Set if round trips are measured: then each message is sent by itself. */
  readonly measurement: Measurement | undefined;
  readonly notes: Notes;
}

/** What a source stands on. */
export interface SourceOptions {
  /** Where stdin is. */
  readonly io: Pick<Io, 'stdin'>;
  /** The largest payload that can be sent, in bytes. */
  readonly limitBytes: number;
  /** The replies that a recording expects, if they are compared with it. */
  readonly expected: ExpectedReplies | undefined;
  /** Called with what a recording holds and was not sent. */
  readonly notSent: (notSent: readonly NotSent[]) => void;
}

/** Messages of one kind, and how they are sent. */
export interface Source {
  /** Messages in a round, if all of them are known before the first is sent; undefined for what is read meanwhile. */
  readonly rounds: number | undefined;
  /** Whether more than one message may be sent, so that round trips are measured. */
  readonly measures: boolean;
  /** The message that is sent again while no reply matches. Default: none. */
  readonly first?: Uint8Array | undefined;
  /** The messages, if they carry numbers by which their echoes are known. Default: they carry none. */
  readonly numbered?: NumberedPayloads | undefined;
  /**
   * Sends everything, each message at its moment.
   *
   * @throws {UsageError} for a message that no datagram holds
   * @throws {DatagramError} for a message that the kernel does not take
   * @throws {LocalFailure} for messages that cannot be read
   * @throws the interruption of the pace
   */
  send(exchange: Exchange, pace: Pace): Promise<void>;
}
