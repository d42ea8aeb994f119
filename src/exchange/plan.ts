import type { Expectation } from '../check/expectation.js';
import type { WrittenExpectations } from '../check/written-expectations.js';
import { UsageError } from '../cli/usage-error.js';
import type { StreamFormat } from '../input/message-stream.js';
import type { Address, DatagramSocketOptions } from '../net/index.js';
import type { ProbeSession } from '../probes/session.js';
import type { ReplayFilter } from '../record/replay-filter.js';
import type { Encoding } from '../text/encoding.js';
import type { RepliesFrom } from './events.js';

/** The path by which `--replay` and `--file` mean stdin. */
export const STDIN = '-';

/** Where messages come from: exactly one source. */
export type MessageSource =
  | { readonly kind: 'payloads'; readonly payloads: readonly Uint8Array[] }
  | { readonly kind: 'files'; readonly paths: readonly string[] }
  | { readonly kind: 'generated'; readonly bytes: number }
  | { readonly kind: 'probe'; readonly probe: ProbeSession }
  | { readonly kind: 'replay'; readonly path: string }
  | { readonly kind: 'stream'; readonly format: StreamFormat }
  | { readonly kind: 'typing' };

/** When messages are sent, and how often. */
export interface PacePlan {
  /** How often each message is sent. Default: once, or until `duration` is over. */
  readonly count?: number | undefined;
  /** Ends the sending, in milliseconds from its start. */
  readonly duration?: number | undefined;
  /** From one round of messages to the next, in milliseconds. Default: 1000. */
  readonly interval?: number | undefined;
  /** Datagrams a second, instead of rounds; Infinity for as fast as the kernel takes them. */
  readonly rate?: number | undefined;
}

/** How a recording is sent. */
export interface ReplayPlan extends PacePlan {
  /** Default: the datagrams that went to the receiver of the first. */
  readonly replayFilter?: ReplayFilter | undefined;
  /** One socket for all, or one for each recorded sender. Default: one. */
  readonly senders?: 'one' | 'each' | undefined;
  /** 2 is twice as fast as recorded, Infinity without pauses. Default: 1. */
  readonly speed?: number | undefined;
  /** Whether the replies must be those that the recording holds. */
  readonly expectReplay?: true | undefined;
}

/** How many replies are awaited, and how long. */
export interface WaitPlan {
  /** Whether replies are awaited and judged. */
  readonly judged: boolean;
  /** How long replies are awaited after the last message, in milliseconds; 0 for not at all, undefined for until the deadline. */
  readonly waitMs: number | undefined;
  /** Matching replies that end the wait. Default: as many as messages were sent. */
  readonly replies?: number | 'all' | undefined;
  /** How often the message is sent again while no reply matches. Default: 0. */
  readonly retry?: number | undefined;
  /** The wait ends when nothing has arrived for so many milliseconds. */
  readonly idle?: number | undefined;
}

/** What one exchange is to do: whom it asks, what it sends, and what the replies must be. */
export interface ExchangePlan extends ReplayPlan, WaitPlan {
  /** A name may stand for several addresses. They are tried in the order in which the resolver gives them. */
  readonly destination: Address;
  /** The local address. Default: the kernel chooses. */
  readonly source?: Address | undefined;
  readonly socket: DatagramSocketOptions;
  readonly messages: MessageSource;
  /** The encoding of `written`, and of messages that are typed. */
  readonly encoding: Encoding;
  /** What a reply must be. */
  readonly expectations: readonly Expectation[];
  /** The same expectations as the user wrote them. */
  readonly written: WrittenExpectations;
  /** Whose datagrams are replies. */
  readonly repliesFrom: RepliesFrom;
}

/** Checks that only one message is sent again: its reply could be taken for another's. @throws {UsageError} */
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
