/** A recording that is broken, cut short or of no known kind. What stood before was read, nothing after it is. */
export class CaptureError extends Error {
  override readonly name = 'CaptureError';
  /** Of the first byte of what could not be read, from 0. */
  readonly offset: number;
  /** Number of the line that could not be read, from 1; only in JSON lines. */
  readonly line: number | undefined;

  constructor(offset: number, reason: string, line?: number) {
    super(`at ${line === undefined ? '' : `line ${line}, `}byte ${offset}: ${reason}`);
    this.offset = offset;
    this.line = line;
  }
}
