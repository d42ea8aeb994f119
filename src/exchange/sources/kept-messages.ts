import { LocalFailure } from '../../text/failure.js';

/** The most that is kept. Empty messages take memory, too. */
const MAX_BYTES = 64 * 1024 * 1024;
const MAX_MESSAGES = 1024 * 1024;

/** Messages of a stream that are kept to be sent again: not without end. */
export class KeptMessages {
  #messages: Uint8Array[] = [];
  #bytes = 0;
  #excess: string | undefined;

  add(batch: readonly Uint8Array[]): void {
    if (this.#excess !== undefined) return;
    for (const message of batch) this.#messages.push(message);
    this.#bytes += batch.reduce((sum, { length }) => sum + length, 0);
    if (this.#bytes > MAX_BYTES) this.#excess = `${MAX_BYTES} bytes`;
    else if (this.#messages.length > MAX_MESSAGES) this.#excess = `${MAX_MESSAGES} messages`;
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
