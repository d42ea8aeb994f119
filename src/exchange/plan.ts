import type { Expectation } from '../check/expectation.js';
import type { WrittenExpectations } from '../check/written-expectations.js';
import { UsageError } from '../cli/usage-error.js';
import type { Eol } from '../input/eol.js';
import type { StreamFormat } from '../input/message-stream.js';
import type { Address, DatagramSocketOptions } from '../net/index.js';
import type { ProbeSession } from '../probes/session.js';
import type { ReplayFilter } from '../record/replay-filter.js';
import type { Encoding } from '../text/encoding.js';
import type { RepliesFrom } from './events.js';

/** The path that stands for stdin in `--replay` and `--file`. */
export const STDIN = '-';

/**
 * The source of the messages. A plan has exactly one. Generated messages are numbered or not (`numbered`); default: they are
 * numbered if replies are awaited.
 */
export type MessageSource =
  | { readonly kind: 'payloads'; readonly payloads: readonly Uint8Array[] }
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | { readonly kind: 'generated'; readonly bytes: number; readonly numbered?: boolean | undefined }
  | { readonly kind: 'probe'; readonly probe: ProbeSession }
  | { readonly kind: 'replay'; readonly path: string }
  | { readonly kind: 'stream'; readonly format: StreamFormat }
  | { readonly kind: 'typing'; readonly eol?: Eol | undefined };

/** How often messages are sent, and at which moments. A round sends each message once. */
export interface PacePlan {
  /** The number of rounds. Default: 1 without `duration`, and no limit with `duration`. */
  readonly count?: number | undefined;
  /** The time after which sending ends, in milliseconds from its start. Default: it ends with the last round. */
  readonly duration?: number | undefined;
  /** The time from one round to the next, in milliseconds. Default: 1000. */
  readonly interval?: number | undefined;
  /** Datagrams a second, in place of `interval`. Infinity: as fast as the kernel takes them. */
  readonly rate?: number | undefined;
}

/** How a recording is sent. */
export interface ReplayPlan extends PacePlan {
  /** Which datagrams of the recording are sent. Default: the ones that went to the receiver of the first. */
  readonly replayFilter?: ReplayFilter | undefined;
  /** Whether all datagrams leave from one socket, or each recorded sender has its own. Default: one socket. */
  readonly senders?: 'one' | 'each' | undefined;
  /** The speed of the replay: 2 is twice as fast as recorded, Infinity is without pauses. Default: 1. */
  readonly speed?: number | undefined;
  /** Whether the replies must equal the replies in the recording. Default: they need not. */
  readonly expectReplay?: true | undefined;
}

/** How many replies an exchange waits for, and how long. */
export interface WaitPlan {
  /** Whether replies are awaited and judged. */
  readonly judged: boolean;
  /** How long to wait for replies after the last message, in milliseconds. 0: not at all. Undefined: until the deadline. */
  readonly waitMs: number | undefined;
  /** The number of matching replies that ends the wait. `all`: only the time ends it. Default: as many as messages were sent. */
  readonly replies?: number | 'all' | undefined;
  /**
   * The share of requests that may be without a matching reply in time, from 0 to 1. It decides the verdict, and not the end
   * of the wait. Default: the number of replies decides.
   */
  readonly maxLoss?: number | undefined;
  /** How often the message is sent again while no reply matches. Default: 0. */
  readonly retry?: number | undefined;
  /** The wait ends after this time without a datagram, in milliseconds. Default: it does not. */
  readonly idle?: number | undefined;
}

/** The plan of one exchange: the peer, the messages, and the conditions for replies. */
export interface ExchangePlan extends ReplayPlan, WaitPlan {
  /** The peer. A name can have several addresses: they are tried in the order of the resolver. */
  readonly destination: Address;
  /** The local address. Default: the kernel chooses. */
  readonly source?: Address | undefined;
  readonly socket: DatagramSocketOptions;
  readonly messages: MessageSource;
  /** The encoding of `written`, and of typed messages. */
  readonly encoding: Encoding;
  /** A reply matches if it meets all of these. */
  readonly expectations: readonly Expectation[];
  /** The same expectations as the user wrote them, for the thread that examines replies. */
  readonly written: WrittenExpectations;
  /** The senders whose datagrams are replies. */
  readonly repliesFrom: RepliesFrom;
}

/**
 * Checks that `retry` is used for a single message and a single reply. Otherwise a second reply to one request could be taken
 * for a reply to another.
 *
 * @throws {UsageError} if there are several messages, rounds or replies
 */
export function checkRetry(
  { retry, count = 1, duration, replies }: Pick<ExchangePlan, 'retry' | 'count' | 'duration' | 'replies'>,
  messages: MessageSource,
): void {
  if (retry === undefined) return;
  const repeats = count > 1 || duration !== undefined;
  const several =
    (messages.kind === 'payloads' && messages.payloads.length > 1) ||
    (messages.kind === 'files' && messages.paths.length > 1);
  const manyReplies = typeof replies === 'number' && replies > 1;
  if (repeats || several || manyReplies) {
    throw new UsageError(
      "option '--retry' is for one message and one reply: a second answer to one request could not be told from another's",
    );
  }
}

/**
 * Checks that `maxLoss` is used for several requests, each with a reply.
 *
 * @throws {UsageError} if there is one message without `count`, or if another option says how many replies are enough
 */
export function checkMaxLoss(
  { maxLoss, count, duration, replies, retry, expectReplay }: Pick<ExchangePlan, LossOptions>,
  messages: MessageSource,
): void {
  if (maxLoss === undefined) return;
  const other = replies !== undefined ? "'-n, --replies'" : expectReplay === true ? "'--expect-replay'" : undefined;
  if (other !== undefined) {
    throw new UsageError(`options '--max-loss' and ${other} both say how many replies are enough: leave one out`);
  }
  if (retry !== undefined) {
    throw new UsageError("option '--max-loss' is for several requests, and '--retry' for one message: leave one out");
  }
  if (messages.kind === 'probe') {
    throw new UsageError("option '--max-loss' is a share of several requests, and a probe sends one: leave it out");
  }
  const repeats = count !== undefined || duration !== undefined;
  if (!repeats && countMessages(messages) === 1) {
    throw new UsageError("option '--max-loss' is a share of several requests, and this is one message: add --count");
  }
}

type LossOptions = 'maxLoss' | 'count' | 'duration' | 'replies' | 'retry' | 'expectReplay';

/** The number of messages in a round; undefined if it is known only later. */
function countMessages(messages: MessageSource): number | undefined {
  switch (messages.kind) {
    case 'payloads':
      return messages.payloads.length;
    case 'files':
      return messages.paths.length;
    case 'generated':
      return 1;
    case 'probe':
    case 'replay':
    case 'stream':
    case 'typing':
      return undefined;
  }
}
