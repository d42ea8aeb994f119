/** Reads a stream of chunks in pieces of any size. */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #bytes: Uint8Array = new Uint8Array();
  #offset = 0;
  #isOver = false;

  /** @param chunks The bytes of a chunk must not change any more. */
  constructor(chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]();
  }

  /** Number of bytes taken so far: the offset of the next byte in the whole input. */
  get offset(): number {
    return this.#offset;
  }

  /** Returns 1 to `most` of the next bytes, and does not take them. Returns none only at the end of the input. */
  async peek(most: number): Promise<Uint8Array> {
    await this.#fill(1);
    return this.#bytes.subarray(0, most);
  }

  /** Returns the next `count` bytes, and does not take them. Returns fewer only at the end of the input. */
  async peekExactly(count: number): Promise<Uint8Array> {
    await this.#fill(count);
    return this.#bytes.subarray(0, count);
  }

  /** Takes the rest of the current chunk, or the next chunk. Returns undefined at the end of the input. */
  async takeChunk(): Promise<Uint8Array | undefined> {
    await this.#fill(1);
    const chunk = this.#bytes;
    this.skip(chunk.length);
    return chunk.length === 0 ? undefined : chunk;
  }

  /** Takes bytes that a `peek` has returned. */
  skip(count: number): void {
    this.#bytes = this.#bytes.subarray(count);
    this.#offset += count;
  }

  /** Closes the input. Call it when nothing more is to be read. */
  async close(): Promise<void> {
    if (!this.#isOver) await this.#chunks.return?.();
  }

  async #fill(count: number): Promise<void> {
    while (this.#bytes.length < count && !this.#isOver) {
      // Set before the read: if the read fails, the input is over, too.
      this.#isOver = true;
      const next = await this.#chunks.next();
      if (next.done === true) return;
      this.#isOver = false;
      this.#bytes = this.#bytes.length === 0 ? next.value : Buffer.concat([this.#bytes, next.value]);
    }
  }
}
