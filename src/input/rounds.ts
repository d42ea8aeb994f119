/** Messages that are known before the first one is sent. All of them are a round, which is sent once or repeatedly. */
export interface Rounds {
  /** Number of messages in a round. */
  readonly size: number;
  /**
   * Returns the payloads of up to `count` transmissions in a row, never none. It returns fewer if all of them would
   * take much memory. Their memory is reused: send them before you call it again.
   *
   * @param first Number of the first transmission, counted from 0 over all rounds.
   */
  take(first: number, count: number): readonly Uint8Array[];
}

/** Rounds of fixed messages. */
export class ListedRounds implements Rounds {
  readonly #messages: readonly Uint8Array[];
  /** Enough rounds in a row for the longest part that was asked for. `take` returns slices of it. */
  #repeated: readonly Uint8Array[];

  constructor(messages: readonly Uint8Array[]) {
    this.#messages = messages;
    this.#repeated = messages;
  }

  get size(): number {
    return this.#messages.length;
  }

  take(first: number, count: number): readonly Uint8Array[] {
    const { size } = this;
    const from = first % size;
    const end = from + count;
    if (this.#repeated.length < end) {
      const rounds = Math.ceil(end / size);
      this.#repeated = Array.from({ length: rounds }, () => this.#messages).flat();
    }
    return from === 0 && end === this.#repeated.length ? this.#repeated : this.#repeated.slice(from, end);
  }
}
