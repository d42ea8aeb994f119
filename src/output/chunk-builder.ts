const INITIAL_BYTES = 4 * 1024;

/** A growing buffer that many datagrams are written into before it is given to a stream as one chunk, and used again. */
export class ChunkBuilder {
  #buffer = Buffer.allocUnsafeSlow(INITIAL_BYTES);
  #view = new DataView(this.#buffer.buffer);
  #length = 0;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** What is being written, where {@link extend} made room; another one once more is written. */
  get buffer(): Buffer {
    return this.#buffer;
  }

  /** The same memory as {@link buffer}. */
  get view(): DataView {
    return this.#view;
  }

  /** Makes room for so many bytes, all of which the caller is to write into {@link buffer}; returns where they begin. */
  extend(bytes: number): number {
    this.#reserve(bytes);
    const at = this.#length;
    this.#length += bytes;
    return at;
  }

  bytes(data: Uint8Array): void {
    const at = this.extend(data.length);
    this.#buffer.set(data, at);
  }

  text(text: string): void {
    // No UTF-16 unit needs more than three bytes.
    this.#reserve(text.length * 3);
    this.#length += this.#buffer.write(text, this.#length, 'utf8');
  }

  byte(value: number): void {
    this.#reserve(1);
    this.#buffer[this.#length] = value;
    this.#length += 1;
  }

  /** What was written; valid until something more is written. The builder is empty then. */
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
