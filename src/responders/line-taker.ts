/** The maximum number of lines of one stream that are handed on. Later lines are only counted. */
const MAX_LINES = 100;
/** The maximum number of bytes of a line that are handed on. The rest of the line is left out. */
const MAX_LINE_BYTES = 1000;
const NEWLINE = 0x0a;

/** Cuts the output of a program into at most 100 lines of at most 1000 bytes, so that memory is bounded. */
export class LineTaker {
  readonly #take: (line: string) => void;
  #kept: Uint8Array = new Uint8Array();
  /** Whether the line is longer than the kept part. */
  #cut = false;
  #lines = 0;

  /** @param take Called with each line, without its LF or CRLF. Invalid UTF-8 is replaced by U+FFFD. */
  constructor(take: (line: string) => void) {
    this.#take = take;
  }

  push(chunk: Uint8Array): void {
    for (let from = 0; from < chunk.length;) {
      const newline = chunk.indexOf(NEWLINE, from);
      const to = newline < 0 ? chunk.length : newline;
      this.#keep(chunk.subarray(from, to));
      if (newline >= 0) this.#finishLine();
      from = to + 1;
    }
  }

  #keep(piece: Uint8Array): void {
    const room = MAX_LINE_BYTES - this.#kept.length;
    if (piece.length > room) this.#cut = true;
    if (room > 0 && piece.length > 0) this.#kept = Buffer.concat([this.#kept, piece.subarray(0, room)]);
  }

  #finishLine(): void {
    this.#lines += 1;
    const line = Buffer.from(this.#kept).toString('utf8').replace(/\r$/, '');
    if (this.#lines <= MAX_LINES) this.#take(this.#cut ? `${line} ...` : line);
    this.#kept = new Uint8Array();
    this.#cut = false;
  }

  /**
   * Hands on a last line without a newline, and the number of lines that were left out. Call it at the end of the
   * stream.
   */
  end(): void {
    if (this.#kept.length > 0) this.#finishLine();
    const leftOut = this.#lines - MAX_LINES;
    if (leftOut > 0) this.#take(`(${leftOut} more ${leftOut === 1 ? 'line' : 'lines'})`);
    this.#lines = 0;
  }
}
