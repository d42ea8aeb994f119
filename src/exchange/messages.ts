import type { Readable } from 'node:stream';
import { type StreamFormat, readMessages } from '../input/message-stream.js';
import { generatePayload, readPayload, readPayloadFile } from '../input/payload.js';
import { ListedRounds, type Rounds } from '../input/rounds.js';
import type { Exchange } from './exchange.js';
import type { RecordedAnswers } from '../check/recorded-answers.js';
import { describeSystemError } from '../net/errors.js';
import type { Measurement } from '../check/measurement.js';
import type { Totals } from '../stats/totals.js';
import type { Io } from '../run/context.js';
import { LocalFailure } from '../text/failure.js';
import type { Interruption } from '../run/interruption.js';
import { type MessageSource, STDIN } from './plan.js';
import { UsageError } from '../cli/usage-error.js';

/** A recording whose datagrams are the messages. */
export interface Replay {
  /** Where it is; `-` for stdin. */
  readonly path: string;
  /** The same for people. */
  readonly name: string;
  /** The largest payload that can be sent, in bytes. */
  readonly limitBytes: number;
  /** What the replies are compared with, if they are. */
  readonly answers: RecordedAnswers | undefined;
  /** Where what is not sent is counted. */
  readonly totals: Pick<Totals, 'notSent'>;
}

/** What is to be sent: known before the first datagram leaves, a stream of what comes, a recording, or what is being typed. */
export type Messages = Rounds | AsyncGenerator<readonly Uint8Array[], undefined> | Replay | 'typing';

/** What is sent, on what, and what may end it. */
export interface Conversation {
  readonly messages: Messages;
  readonly exchange: Exchange;
  readonly interruption: Interruption;
  /** What the round trips of this run come to, if they are measured. */
  readonly measurement: Measurement | undefined;
}

/** What the messages of a stream that are all needed before the first is sent may come to. Empty ones take memory, too. */
const MAX_COLLECTED_BYTES = 64 * 1024 * 1024;
const MAX_COLLECTED = 1024 * 1024;

/**
 * Generated payloads, checked against the largest. They are numbered where replies are to be told apart; what nobody
 * answers is the same every time, and nothing goes out faster.
 *
 * @throws {UsageError} for a size over the limit
 */
export async function generateMessages(
  { bytes, numbered }: { readonly bytes: number; readonly numbered: boolean },
  limitBytes: number,
): Promise<Rounds> {
  checkLimit(`option '--size': ${bytes} bytes`, bytes, limitBytes);
  if (!numbered) return new ListedRounds([generatePayload(bytes)]);
  const { NumberedPayloads: Payloads } = await import('../input/numbered-payload.js');
  return new Payloads(bytes);
}

/**
 * The messages of a source that has them all at hand, checked against the largest payload.
 *
 * @param io where stdin is, if that is one of the files
 * @throws {UsageError} for a payload over the limit; {@link LocalFailure} for a file that cannot be read
 */
export async function loadMessages(
  source: Extract<MessageSource, { kind: 'payloads' | 'files' }>,
  io: Pick<Io, 'stdin'>,
  limitBytes: number,
): Promise<readonly Uint8Array[]> {
  switch (source.kind) {
    case 'payloads':
      for (const payload of source.payloads) checkPayload('a message', payload, limitBytes);
      return source.payloads;
    case 'files':
      return Promise.all(source.paths.map((path) => loadFile(path, io, limitBytes)));
  }
}

/** @throws {UsageError} for a payload that no datagram holds; `what` says whose it is */
export function checkPayload(what: string, { length }: Uint8Array, limitBytes: number): void {
  checkLimit(`${what} of ${length} bytes`, length, limitBytes);
}

function checkLimit(what: string, bytes: number, limitBytes: number): void {
  if (bytes > limitBytes)
    throw new UsageError(`${what} is more than one datagram there holds: the limit is ${limitBytes}`);
}

async function loadFile(path: string, io: Pick<Io, 'stdin'>, limitBytes: number): Promise<Uint8Array> {
  let payload: Uint8Array;
  try {
    payload =
      path === STDIN ? await readPayload(readStdin(io.stdin), limitBytes) : await readPayloadFile(path, limitBytes);
  } catch (cause) {
    if (cause instanceof LocalFailure) throw cause;
    throw new LocalFailure(`cannot read ${path}: ${describeSystemError(cause)}`, { cause });
  }
  checkLimit(`option '--file': ${path === STDIN ? 'stdin' : path}`, payload.length, limitBytes);
  return payload;
}

/** The messages of a byte stream, as they come. @throws {StreamError}; {@link LocalFailure} if it cannot be read */
export async function* streamMessages(
  stdin: Readable,
  format: StreamFormat,
  limitBytes: number,
): AsyncGenerator<readonly Uint8Array[], undefined> {
  yield* readMessages(readStdin(stdin), format, limitBytes);
}

/** The bytes of stdin, in chunks. @throws {LocalFailure} if it cannot be read */
export async function* readStdin(stdin: Readable): AsyncGenerator<Uint8Array, undefined> {
  try {
    for await (const chunk of stdin) yield chunk as Uint8Array;
  } catch (cause) {
    throw new LocalFailure(`cannot read stdin: ${describeSystemError(cause)}`, { cause });
  }
}

/** Messages of a stream that are kept to be sent again: not without end. */
export class KeptMessages {
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #excess: string | undefined;

  add(batch: readonly Uint8Array[]): void {
    if (this.#excess !== undefined) return;
    for (const message of batch) this.#messages.push(message);
    this.#bytes += batch.reduce((sum, { length }) => sum + length, 0);
    if (this.#bytes > MAX_COLLECTED_BYTES) this.#excess = `${MAX_COLLECTED_BYTES} bytes`;
    else if (this.#messages.length > MAX_COLLECTED) this.#excess = `${MAX_COLLECTED} messages`;
    if (this.#excess !== undefined) this.#messages = [];
  }

  /** Whether there were more than can be kept. */
  get tooMany(): boolean {
    return this.#excess !== undefined;
  }

  /** All of them. @throws {LocalFailure} if they are not all there */
  all(): readonly Uint8Array[] {
    if (this.#excess === undefined) return this.#messages;
    throw new LocalFailure(`stdin holds more than the ${this.#excess} that can be sent repeatedly`);
  }
}

/** All messages of a byte stream, to be sent more than once. Throws as {@link streamMessages}. */
export async function collectMessages(
  stdin: Readable,
  format: StreamFormat,
  limitBytes: number,
): Promise<readonly Uint8Array[]> {
  const kept = new KeptMessages();
  for await (const batch of streamMessages(stdin, format, limitBytes)) {
    kept.add(batch);
    if (kept.tooMany) break;
  }
  return kept.all();
}
