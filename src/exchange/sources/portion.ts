import type { Measurement } from '../../check/measurement.js';

/** The first number of messages in one send. */
const MESSAGES_PER_SEND = 64;
const MAX_MESSAGES_PER_SEND = 2048;
/** A send should not take longer than this, because nothing can interrupt it. */
const LONG_SEND_MS = 10;

/**
 * The number of messages in one send. It is 1 if round trips are measured, because messages in one send have the same send
 * time. Otherwise it adapts to the link, so that a send takes about 10 ms.
 */
export class Portion {
  readonly #most: number;
  #size: number;

  constructor(measurement: Measurement | undefined) {
    this.#most = measurement === undefined ? MAX_MESSAGES_PER_SEND : 1;
    this.#size = Math.min(MESSAGES_PER_SEND, this.#most);
  }

  get size(): number {
    return this.#size;
  }

  /** Adapts the size to the time that a whole portion took. */
  took(ms: number): void {
    if (ms > LONG_SEND_MS) this.#size = Math.max(1, Math.floor(this.#size / 2));
    else this.#size = Math.min(this.#most, this.#size * 2);
  }
}
