/** A recording is broken, cut short or of an unknown format. The datagrams before the error were delivered. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  /**
   * Offset of the first byte that could not be read, from 0. In a compressed file, the offset in the uncompressed data.
   */
  readonly offset: number;
  /** Number of the line that could not be read, from 1. Only for JSON lines. */
  readonly line: number | undefined;
  readonly #reason: string;

  /** @param uncompressed words behind the offset, where the file was compressed */
  constructor(offset: number, reason: string, line?: number, uncompressed = '') {
    super(`at ${line === undefined ? '' : `line ${line}, `}byte ${offset}${uncompressed}: ${reason}`);
    this.offset = offset;
    this.line = line;
    this.#reason = reason;
  }

  /** Returns the same error with a message that says: the offset is one of the uncompressed file. */
  ofUncompressed(): CaptureError {
    return new CaptureError(this.offset, this.#reason, this.line, ' of the uncompressed file');
  }
}
