/** Messages that are known before the first is sent: a round of them, sent once or over and over. */
export interface Rounds {
  /** Messages in a round. */
  readonly size: number;
  /**
   * The messages of some transmissions in a row.
   *
   * @param first number of the first of them, counted from 0 over all rounds
   * @returns as many as asked, or fewer where those would take much memory, at least one; theirs is the memory of what an earlier call gave, which must have been sent by then
   */
  take(first: number, count: number): readonly Uint8Array[];
}

/** Rounds in which each message is the same every time. */
export class ListedRounds implements Rounds {
  readonly #messages: readonly Uint8Array[];
  /** Several rounds in a row, of which parts were asked for. */
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
