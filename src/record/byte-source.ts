/** The bytes of chunks, to be taken in whatever numbers. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #bytes: Uint8Array = new Uint8Array();
  #offset = 0;
  #isOver = false;

  /** @param chunks Must not change any more. */
  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Of the first byte that was not taken, in the whole input. */
  get offset(): number {
    return this.#offset;
  }

  /** The next bytes, `most` at most: none only at the end of the input. They stay. */
  async peek(most: number): Promise<Uint8Array> {
    await this.#fill(1);
    return this.#bytes.subarray(0, most);
  }

  /** The next bytes, exactly `count` unless the input ends before. They stay. */
  async peekExactly(count: number): Promise<Uint8Array> {
    await this.#fill(count);
    return this.#bytes.subarray(0, count);
  }

  /** All the bytes of the next chunk, or what is left of it. @returns undefined at the end of the input */
  async takeChunk(): Promise<Uint8Array | undefined> {
    await this.#fill(1);
    const chunk = this.#bytes;
    this.skip(chunk.length);
    return chunk.length === 0 ? undefined : chunk;
  }

  /** Takes bytes that were seen. */
  skip(count: number): void {
    this.#bytes = this.#bytes.subarray(count);
    this.#offset += count;
  }

  /** Lets go of the input: nothing more is taken. */
  async close(): Promise<void> {
    if (!this.#isOver) await this.#chunks.return?.();
  }

  async #fill(count: number): Promise<void> {
    while (this.#bytes.length < count && !this.#isOver) {
      // An input that fails is over as well.
      this.#isOver = true;
      const next = await this.#chunks.next();
      if (next.done === true) return;
      this.#isOver = false;
      this.#bytes = this.#bytes.length === 0 ? next.value : Buffer.concat([this.#bytes, next.value]);
    }
  }
}
