import { LocalFailure } from '../../text/failure.js';

/** The limits of the memory. Empty messages take memory, too. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_MESSAGES = 1024 * 1024;

/** Keeps the messages of a stream, to send them several times. Their number and size are bounded. */
export class KeptMessages {
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #excess: string | undefined;

  /** Keeps a batch. Beyond the limits, all messages are given up. */
  add(batch: readonly Uint8Array[]): void {
    if (this.#excess !== undefined) return;
    for (const message of batch) this.#messages.push(message);
    this.#bytes += batch.reduce((sum, { length }) => sum + length, 0);
    if (this.#bytes > MAX_BYTES) this.#excess = `${MAX_BYTES} bytes`;
    else if (this.#messages.length > MAX_MESSAGES) this.#excess = `${MAX_MESSAGES} messages`;
    if (this.#excess !== undefined) this.#messages = [];
  }

  /** Whether there were more messages than can be kept. */
  get tooMany(): boolean {
    return this.#excess !== undefined;
  }

  /** All messages. @throws {LocalFailure} if there were more than can be kept */
  all(): readonly Uint8Array[] {
    if (this.#excess === undefined) return this.#messages;
    throw new LocalFailure(`stdin holds more than ${this.#excess}, which is the limit for sending it several times`);
  }
}
