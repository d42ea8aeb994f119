import type { RecordFormat } from './formats/table.js';
import { ForeignFileError, RecordError } from './record-error.js';
import { type Found, prepareFile, RecordFile } from './record-file.js';
import { type Rotation, Row } from './row.js';
import { isSameFile } from './same-file.js';
import { wallClockMs } from '../net/clock.js';
import { describeSystemError, systemCode } from '../net/errors.js';

/** Tells the user of something that ends nothing. */
export type Warn = (message: string) => void;

/** The files that a recording is written to, one after the other. */
export interface RecordFiles {
  /** A file holds no more bytes, unless its only record is larger. */
  readonly maxBytes: number;
  /** How long the file that was opened last takes records, in milliseconds. */
  readonly takesForMs: number;
  /**
   * Has the file that is there continue with whole records. Call it before anything is bound or sent.
   *
   * @throws {ForeignFileError} if that file is none of udpcat's own
   * @throws {RecordError} if it cannot be read and written
   */
  prepare(): Promise<void>;
  /** Opens the first file. @throws as {@link prepare} */
  first(): Promise<RecordFile>;
  /** Opens the file that follows. @throws {RecordError} */
  next(): RecordFile;
}

/** One file, which is continued, or replaced. */
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
    // Another command may have written to it since.
    await this.prepare();
    return new RecordFile(this.#path, this.#format, this.#replace ? 'replace' : 'continue');
  }

  next(): RecordFile {
    throw new Error('a recording without limits has one file only');
  }
}

/** A row of files. A run goes on with the newest; as always, a new one begins only with a record that is to go there. */
export class FileRow implements RecordFiles {
  readonly maxBytes: number;
  readonly #path: string;
  readonly #row: Row;
  readonly #format: RecordFormat;
  readonly #rotation: Rotation;
  readonly #warn: Warn;
  readonly #replayed: string | undefined;
  #takesForMs: number;
  /** The start of the file that is continued. */
  #newest: number | undefined;
  #found: Found | undefined;
  /** The start of a file that is no recording, which was told. */
  #foreign: number | undefined;

  /** @param replayed A file that is read meanwhile: it is neither continued nor removed. */
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
    // Where the clock was set back the file is as good as new.
    this.#takesForMs -= Math.max(0, wallClockMs() - this.#newest / 1000);
    this.#prune(this.#newest);
    return file;
  }

  next(): RecordFile {
    const now = Math.round(wallClockMs() * 1000);
    // In the order of their names files are in that of their beginnings, even where the clock was set back.
    let start = Math.max(now, (this.#starts().at(-1) ?? 0) + 1);
    for (;;) {
      try {
        const file = new RecordFile(this.#row.path(start), this.#format, 'create');
        this.#takesForMs = this.#rotation.maxAgeMs ?? Infinity;
        this.#prune(start);
        return file;
      } catch (error) {
        // Another command has taken the name, or what stands there is no file.
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
      throw new RecordError(`cannot record to ${this.#path}: ${describeSystemError(cause)}`, { cause });
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
  if (removedBytes > 0) warn(`${path} ended in the midst of a record: the ${removedBytes} bytes of it were removed`);
  if (closedParts > 0) {
    warn(`${path} held parts of ${closedParts} records in its midst: readers pass over them now`);
  }
}
