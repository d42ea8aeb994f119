import type { Datagram, Endpoint } from '../net/index.js';

/** A received datagram, as rules look at it. Its text is decoded once for all rules, and only if a rule needs it. */
export class RuleRequest {
  readonly #datagram: Datagram;
  #text: string | undefined;

  constructor(datagram: Datagram) {
    this.#datagram = datagram;
  }

  get data(): Uint8Array {
    return this.#datagram.data;
  }

  get remote(): Endpoint {
    return this.#datagram.remote;
  }

  get timeMs(): number {
    return this.#datagram.timeMs;
  }

  /** The payload read as UTF-8, with invalid bytes replaced by U+FFFD; a byte-order mark stays. */
  get text(): string {
    this.#text ??= new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#datagram.data);
    return this.#text;
  }
}
