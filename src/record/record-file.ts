import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { describeSystemError } from '../net/errors.js';
import { FileView, type Patch } from './file-view.js';
import type { RecordFormat } from './formats/table.js';
import { ForeignFileError, RecordError } from './record-error.js';

/** How a file was found that is to be continued. */
export interface Found {
  /** Where its last whole record ends. */
  readonly wholeBytes: number;
  /** Bytes of a record that was cut off at its end; they were removed. */
  readonly removedBytes: number;
  /** Parts of records in its midst that readers now pass over. */
  readonly closedParts: number;
}

const APPENDING = constants.O_RDWR | constants.O_APPEND;
/** How often the end of a file is looked at again because another command has written to it meanwhile. */
const MAX_LOOKS = 100;
/** So many bytes at the end of the file that equal the written ones are those, and not another command's. */
const TELLING_BYTES = 32;

/**
 * Prepares a file to be continued, if it is there: a record that was cut off at its end is removed.
 *
 * @param from A place where a record is known to begin, or 0.
 * @returns undefined if there is no such file
 * @throws {ForeignFileError} for a file that is not udpcat's own, or broken in its midst
 * @throws {RecordError} for a file that cannot be read and written
 */
export async function prepareFile(path: string, format: RecordFormat, from = 0): Promise<Found | undefined> {
  if (!isThere(path)) return undefined;
  let fd = -1;
  try {
    fd = openSync(path, APPENDING);
    return await makeWhole(path, fd, format, from);
  } catch (error) {
    throw error instanceof RecordError ? error : failureOf(path, error);
  } finally {
    if (fd >= 0) closeSync(fd);
  }
}

async function makeWhole(path: string, fd: number, format: RecordFormat, from: number): Promise<Found> {
  let begin = from;
  let closedParts = 0;
  for (let look = 0; look < MAX_LOOKS; look += 1) {
    const { size } = fstatSync(fd);
    const found = await format.examine(new FileView(fd, size), begin > size ? 0 : begin);
    if (found === undefined) throw new ForeignFileError(`${path} is no recording of udpcat's own`);
    const { wholeBytes, missing, patches, brokenAt } = found;
    if (brokenAt !== undefined) throw new ForeignFileError(`${path} is broken at byte ${brokenAt}`);
    closeParts(path, patches);
    closedParts += patches.length;
    begin = wholeBytes;
    if (wholeBytes === size || wholeBytes < format.header.length) return { wholeBytes, removedBytes: 0, closedParts };
    // Another command may be writing what looks cut off. This returns when such a write is over: a file is written by one
    // at a time.
    writeSync(fd, Buffer.alloc(0));
    if (fstatSync(fd).size !== size) continue;
    if (missing === undefined) ftruncateSync(fd, wholeBytes);
    else writeSync(fd, missing);
    if (missing === undefined) return { wholeBytes, removedBytes: size - wholeBytes, closedParts };
    return { wholeBytes: size + missing.length, removedBytes: 0, closedParts };
  }
  throw new RecordError(`cannot record to ${path}: other commands write to it without a pause`);
}

function closeParts(path: string, patches: readonly Patch[]): void {
  if (patches.length === 0) return;
  // Where every write is appended nothing can be written elsewhere.
  const fd = openSync(path, 'r+');
  try {
    for (const { at, bytes } of patches) writeSync(fd, bytes, 0, bytes.length, at);
  } finally {
    closeSync(fd);
  }
}

/** @throws {RecordError} for what is no regular file: to open a pipe would wait for its reader */
function isThere(path: string): boolean {
  let isFile: boolean | undefined;
  try {
    isFile = statSync(path, { throwIfNoEntry: false })?.isFile();
  } catch (error) {
    throw failureOf(path, error);
  }
  if (isFile === false) {
    throw new RecordError(`cannot record to ${path}: it is no regular file; - records to stdout`);
  }
  return isFile === true;
}

function failureOf(path: string, cause: unknown): RecordError {
  return new RecordError(`cannot record to ${path}: ${describeSystemError(cause)}`, { cause });
}

/**
 * How a file is opened: to continue it, which {@link prepareFile} comes before, and which makes it if it is not there; to
 * replace all that it holds; or as a new file.
 */
export type Opening = 'continue' | 'replace' | 'create';

const FLAGS: Readonly<Record<Opening, number>> = {
  continue: APPENDING | constants.O_CREAT,
  replace: APPENDING | constants.O_CREAT | constants.O_TRUNC,
  create: APPENDING | constants.O_CREAT | constants.O_EXCL,
};

/** A file of a recording, open. Every write appends whole records, so that commands that write to one file mix none. */
export class RecordFile {
  readonly path: string;
  readonly fd: number;
  /** Bytes that the file held, and that were given to it since, as far as this command knows. */
  length: number;
  readonly #headerBytes: number;

  /** @throws {RecordError} */
  constructor(path: string, { header }: RecordFormat, opening: Opening) {
    isThere(path);
    this.path = path;
    this.#headerBytes = header.length;
    try {
      this.fd = openSync(path, FLAGS[opening], 0o666);
    } catch (cause) {
      throw failureOf(path, cause);
    }
    try {
      if (fstatSync(this.fd).size < header.length) this.#writeHeader(header);
      this.length = fstatSync(this.fd).size;
    } catch (cause) {
      closeSync(this.fd);
      throw failureOf(path, cause);
    }
  }

  /** Of two commands that begin a file at once, each writes the same bytes to the same place. */
  #writeHeader(header: Uint8Array): void {
    const fd = openSync(this.path, 'r+');
    try {
      for (let at = 0; at < header.length;) at += writeSync(fd, header, at, header.length - at, at);
    } catch (error) {
      if (fstatSync(fd).size < header.length) ftruncateSync(fd, 0);
      throw error;
    } finally {
      closeSync(fd);
    }
  }

  get holdsRecords(): boolean {
    return this.length > this.#headerBytes;
  }

  /** Why a write to the file failed. */
  failure(cause: unknown): RecordError {
    return failureOf(this.path, cause);
  }

  /**
   * Takes the last bytes of a write that failed out of the file again, unless another command has written since.
   *
   * @param written All that the write has written, which {@link length} does not count.
   */
  takeOut(written: Uint8Array, bytes: number): void {
    if (bytes === 0) return;
    try {
      const { size } = fstatSync(this.fd);
      if (size !== this.length + written.length && written.length < TELLING_BYTES) return;
      const last = Buffer.alloc(written.length);
      readSync(this.fd, last, 0, last.length, size - last.length);
      if (last.equals(written)) ftruncateSync(this.fd, size - bytes);
    } catch {
      // The next command that records to the file removes it.
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}
