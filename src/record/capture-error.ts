/** A recording that is broken, cut short or of no known kind. What stood before was read, nothing after it is. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  /** Of the first byte of what could not be read, from 0; in a compressed file, of what the decompression gave. */
  readonly offset: number;
  /** Number of the line that could not be read, from 1; only in JSON lines. */
  readonly line: number | undefined;
  readonly #reason: string;

  constructor(offset: number, reason: string, line?: number, uncompressed = '') {
    super(`at ${line === undefined ? '' : `line ${line}, `}byte ${offset}${uncompressed}: ${reason}`);
    this.offset = offset;
    this.line = line;
    this.#reason = reason;
  }

  /** The same error where the file was compressed: the place is one of what came out. */
  ofUncompressed(): CaptureError {
    return new CaptureError(this.offset, this.#reason, this.line, ' of the uncompressed file');
  }
}
