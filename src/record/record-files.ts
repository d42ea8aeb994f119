import type { RecordFormat } from './formats/table.js';
import { ForeignFileError, RecordError } from './record-error.js';
import { type Found, prepareFile, RecordFile } from './record-file.js';
import { type Rotation, Row } from './row.js';
import { isSameFile } from './same-file.js';
import { wallClockMs } from '../net/clock.js';
import { describeSystemError, systemCode } from '../net/errors.js';

/** Tells the user about a problem that does not end the command. */
export type Warn = (message: string) => void;

/** The files of a recording. They are written one after the other. */
export interface RecordFiles {
  /** The maximum number of bytes of a file. A file with a single record may be larger. */
  readonly maxBytes: number;
  /** How long this command may write to the newest file, in milliseconds since it opened the file. */
  readonly takesForMs: number;
  /**
   * Repairs the file that will be continued, if it exists. Call it before a socket is bound or anything is sent.
   *
   * @throws {ForeignFileError} if the file is no recording that udpcat wrote
   * @throws {RecordError} if the file cannot be read or written
   */
  prepare(): Promise<void>;
  /** Opens the first file. @throws {RecordError} as {@link prepare} does */
  first(): Promise<RecordFile>;
  /** Opens the next file. @throws {RecordError} if it cannot be made */
  next(): RecordFile;
}

/** A recording in one file, which is continued or replaced. */
export class OneFile implements RecordFiles {
  readonly maxBytes = Infinity;
  readonly takesForMs = Infinity;
  readonly #path: string;
  readonly #format: RecordFormat;
  readonly #replace: boolean;
  readonly #warn: Warn;
  #found: Found | undefined;

  constructor(
    path: string,
    format: RecordFormat,
    { replace, warn }: { readonly replace: boolean; readonly warn: Warn },
  ) {
    this.#path = path;
    this.#format = format;
    this.#replace = replace;
    this.#warn = warn;
  }

  async prepare(): Promise<void> {
    if (this.#replace) return;
    this.#found = await prepareFile(this.#path, this.#format, this.#found?.wholeBytes);
    if (this.#found !== undefined) warnOf(this.#path, this.#found, this.#warn);
  }

  async first(): Promise<RecordFile> {
    // Another command may have written to the file since the first call of prepare().
    await this.prepare();
    return new RecordFile(this.#path, this.#format, this.#replace ? 'replace' : 'continue');
  }

  next(): RecordFile {
    throw new Error('a recording without limits has one file only');
  }
}

/**
 * A recording in a row of files. A run continues the newest file. A new file is made only when a record is to be
 * written to it, so that no file stays empty.
 */
export class FileRow implements RecordFiles {
  readonly maxBytes: number;
  readonly #path: string;
  readonly #row: Row;
  readonly #format: RecordFormat;
  readonly #rotation: Rotation;
  readonly #warn: Warn;
  readonly #replayed: string | undefined;
  #takesForMs: number;
  /** The start of the newest file, in microseconds since the epoch. */
  #newest: number | undefined;
  #found: Found | undefined;
  /** The start of a file about which the user was warned that it is no recording. */
  #foreign: number | undefined;

  /** @param replayed A file that the command replays. It is neither continued nor removed. */
  constructor(
    path: string,
    format: RecordFormat,
    rotation: Rotation,
    { replayed, warn }: { readonly replayed?: string | undefined; readonly warn: Warn },
  ) {
    this.#path = path;
    this.#row = new Row(path);
    this.#format = format;
    this.#rotation = rotation;
    this.#warn = warn;
    this.#replayed = replayed;
    this.maxBytes = rotation.maxBytes ?? Infinity;
    this.#takesForMs = rotation.maxAgeMs ?? Infinity;
  }

  get takesForMs(): number {
    return this.#takesForMs;
  }

  async prepare(): Promise<void> {
    const start = this.#starts().at(-1);
    const from = start === this.#newest ? this.#found?.wholeBytes : 0;
    [this.#newest, this.#found] = [start, undefined];
    if (start === undefined) return;
    const path = this.#row.path(start);
    if (this.#isReplayed(path)) return;
    try {
      this.#found = await prepareFile(path, this.#format, from);
      if (this.#found !== undefined) warnOf(path, this.#found, this.#warn);
    } catch (error) {
      if (!(error instanceof ForeignFileError)) throw error;
      if (this.#foreign !== start) this.#warn(`${error.message}: a new file begins`);
      this.#foreign = start;
    }
  }

  async first(): Promise<RecordFile> {
    await this.prepare();
    if (this.#newest === undefined || this.#found === undefined) return this.next();
    const file = new RecordFile(this.#row.path(this.#newest), this.#format, 'continue');
    // The start can be in the future, if the clock was set back. Then the file counts as new.
    this.#takesForMs -= Math.max(0, wallClockMs() - this.#newest / 1000);
    this.#prune(this.#newest);
    return file;
  }

  next(): RecordFile {
    const now = Math.round(wallClockMs() * 1000);
    // Later than the newest file, even if the clock was set back: the order of the names must be that of the files.
    let start = Math.max(now, (this.#starts().at(-1) ?? 0) + 1);
    for (;;) {
      try {
        const file = new RecordFile(this.#row.path(start), this.#format, 'create');
        this.#takesForMs = this.#rotation.maxAgeMs ?? Infinity;
        this.#prune(start);
        return file;
      } catch (error) {
        // The name is taken by another command, or by something that is no file.
        if (!(error instanceof RecordError) || systemCode(error.cause) !== 'EEXIST') throw error;
        start += 1;
      }
    }
  }

  #isReplayed(path: string): boolean {
    return this.#replayed !== undefined && isSameFile(path, this.#replayed);
  }

  #starts(): number[] {
    try {
      return this.#row.starts();
    } catch (cause) {
      throw new RecordError(
        `cannot record to ${this.#path}: ${describeSystemError(cause, { ENOENT: 'no such folder' })}`,
        { cause },
      );
    }
  }

  #prune(written: number): void {
    if (this.#rotation.keep === undefined) return;
    const isKept = (path: string): boolean => this.#isReplayed(path);
    for (const { path, cause } of this.#row.prune(this.#rotation.keep, written, isKept)) {
      this.#warn(`cannot remove ${path}: ${describeSystemError(cause)}`);
    }
  }
}

function warnOf(path: string, { removedBytes, closedParts }: Found, warn: Warn): void {
  if (removedBytes > 0) warn(`${path} ended in the middle of a record: its ${removedBytes} bytes were removed`);
  if (closedParts > 0) {
    warn(`${path} had ${closedParts} incomplete records in the middle: readers now pass over them`);
  }
}
