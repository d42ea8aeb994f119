const INITIAL_BYTES = 4 * 1024;

/**
 * A growing buffer. Many datagrams are written to it, and go to a stream as one chunk. Then the buffer is used again.
 */
export class ChunkBuilder {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  /** Number of bytes written since the last {@link take}. */
  get length(): number {
    return this.#length;
  }

  /**
   * The current buffer. A call that writes or extends can replace it by a larger one: then read this property again.
   */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** The same memory as {@link buffer}. */
  get view(): DataView {
    return this.#view;
  }

  /** Makes room for `bytes` bytes, and returns their offset in {@link buffer}. The caller must write all of them. */
  extend(bytes: number): number {
    this.#reserve(bytes);
    const at = this.#length;
    this.#length += bytes;
    return at;
  }

  /**
   * Makes room for at most `most` bytes, and returns their offset in {@link buffer}. Call {@link end} when they are written.
   */
  begin(most: number): number {
    this.#reserve(most);
    return this.#length;
  }

  /** Ends what {@link begin} began. @param at the offset behind the last byte that was written */
  end(at: number): void {
    this.#length = at;
  }

  /** Appends bytes. */
  bytes(data: Uint8Array): void {
    const at = this.extend(data.length);
    this.#buffer.set(data, at);
  }

  /** Appends bytes that were written since the last {@link take}: `bytes` of them, from the offset `from` in {@link buffer} on. */
  repeat(from: number, bytes: number): void {
    const at = this.extend(bytes);
    this.#buffer.copyWithin(at, from, from + bytes);
  }

  /** Appends a text as UTF-8. */
  text(text: string): void {
    // A UTF-16 unit takes at most three bytes of UTF-8.
    this.#reserve(text.length * 3);
    this.#length += this.#buffer.write(text, this.#length, 'utf8');
  }

  /** Appends a text of ASCII characters. Other characters become others. */
  ascii(text: string): void {
    const at = this.extend(text.length);
    this.#buffer.write(text, at, 'latin1');
  }

  /** Appends one byte. */
  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }

  /** Returns everything written, and empties the builder. The result is valid until the next write. */
  take(): Buffer {
    const chunk = this.#buffer.subarray(0, this.#length);
    this.#length = 0;
    return chunk;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, this.#buffer.length * 2));
    this.#buffer.copy(larger, 0, 0, this.#length);
    this.#buffer = larger;
    this.#view = new DataView(larger.buffer);
  }
}
