import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync, statSync, writeSync } from 'node:fs';
import { describeSystemError } from '../net/errors.js';
import { FileView, type Patch } from './file-view.js';
import type { RecordFormat } from './formats/table.js';
import { ForeignFileError, RecordError } from './record-error.js';

/** The state of an existing file, after its repair. */
export interface Found {
  /** Offset of the end of its last whole record. */
  readonly wholeBytes: number;
  /** Bytes of a cut off record that were removed from its end. */
  readonly removedBytes: number;
  /** Number of incomplete records in the middle that were patched, so that readers pass over them. */
  readonly closedParts: number;
}

const APPENDING = constants.O_RDWR | constants.O_APPEND;
/** How often the end of a file is examined again because another command was writing to it. */
const MAX_LOOKS = 100;
/**
 * If at least this many bytes at the end of a file equal the written ones, no other command has written behind them.
 */
const TELLING_BYTES = 32;

/**
 * Prepares a file to be continued, if it exists. A cut off record at its end is removed.
 *
 * @param from Offset at which a record is known to begin, or 0.
 * @returns undefined if there is no such file
 * @throws {ForeignFileError} if the file is no recording that udpcat wrote, or is broken in the middle
 * @throws {RecordError} if the file cannot be read or written
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
    // The record may look cut off because another command is writing it. The kernel lets one process write to a file at
    // a time, so an empty write returns when that write is over.
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
  // The other descriptor has O_APPEND: it can write at the end only.
  const fd = openSync(path, 'r+');
  try {
    for (const { at, bytes } of patches) writeSync(fd, bytes, 0, bytes.length, at);
  } finally {
    closeSync(fd);
  }
}

/** Whether a file exists. @throws {RecordError} if it is no regular file: to open a pipe would wait for its reader */
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
  return new RecordError(`cannot record to ${path}: ${describeSystemError(cause, { ENOENT: 'no such folder' })}`, {
    cause,
  });
}

/**
 * How a file is opened:
 *
 * - `continue`: behind its records, or as a new file. Call {@link prepareFile} before.
 * - `replace`: emptied, or as a new file.
 * - `create`: as a new file. It is an error if the file exists.
 */
export type Opening = 'continue' | 'replace' | 'create';

const FLAGS: Readonly<Record<Opening, number>> = {
  continue: APPENDING | constants.O_CREAT,
  replace: APPENDING | constants.O_CREAT | constants.O_TRUNC,
  create: APPENDING | constants.O_CREAT | constants.O_EXCL,
};

/** An open file of a recording. Each write appends whole records, so several commands can record to one file. */
export class RecordFile {
  readonly path: string;
  readonly fd: number;
  /** Size of the file when it was opened, and the bytes that this command has written since. */
  length: number;
  readonly #headerBytes: number;

  /** @throws {RecordError} if the file cannot be opened, or its header cannot be written */
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

  /** Writes the header at offset 0. If two commands do so at once, both write the same bytes to the same place. */
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

  /** Whether the file holds more than its header. */
  get holdsRecords(): boolean {
    return this.length > this.#headerBytes;
  }

  /** Makes the error for a write that failed. */
  failure(cause: unknown): RecordError {
    return failureOf(this.path, cause);
  }

  /**
   * Removes the last `bytes` bytes of a failed write from the file, unless another command has written behind them.
   *
   * @param written All bytes of the failed write that the file has taken. {@link length} does not count them.
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
      // The next command that continues the file removes the part.
    }
  }

  close(): void {
    closeSync(this.fd);
  }
}
