import { readdirSync, unlinkSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { formatTime } from '../text/time.js';

/** When a row of files begins a new file, and how many files it keeps. */
export interface Rotation {
  /** The maximum number of bytes of a file. A file with a single record may be larger. Default: no limit. */
  readonly maxBytes?: number | undefined;
  /** Age in milliseconds from which on a file takes no records. Default: no limit. */
  readonly maxAgeMs?: number | undefined;
  /** Number of files that are kept, the one being written included. Default: all. */
  readonly keep?: number | undefined;
}

/**
 * The files of a recording that is a row. The name of each has its start in UTC: the files of `day.pcap` have names
 * like `day.2026-11-29T080000.123456Z.pcap`.
 */
export class Row {
  readonly #folder: string;
  readonly #stem: string;
  readonly #extension: string;

  /** @param path The path without a start, for example `day.pcap`. */
  constructor(path: string) {
    this.#folder = dirname(path);
    this.#extension = extname(path);
    this.#stem = basename(path, this.#extension);
  }

  /** Lists the starts of the existing files, in microseconds since the epoch, oldest first. */
  starts(): number[] {
    return readdirSync(this.#folder, { withFileTypes: true })
      .flatMap((entry) => (entry.isFile() ? (this.#startOf(entry.name) ?? []) : []))
      .sort((a, b) => a - b);
  }

  /** Returns the start in a name. Undefined if the name is not of exactly this form. */
  #startOf(name: string): number | undefined {
    const [before, after] = [`${this.#stem}.`, this.#extension];
    if (!name.startsWith(before) || !name.endsWith(after)) return undefined;
    const stamp = name.slice(before.length, name.length - after.length);
    const [, date = '', hour = '', minute = '', second = '', micros = ''] =
      /^(\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{6})Z$/.exec(stamp) ?? [];
    const start = Date.parse(`${date}T${hour}:${minute}:${second}Z`) * 1000 + Number(micros);
    // Date.parse() takes the 30th of February for a day in March. The stamp of that day differs.
    return Number.isSafeInteger(start) && stampOf(start) === stamp ? start : undefined;
  }

  /** Returns the path of the file with this start, in microseconds since the epoch. */
  path(start: number): string {
    return join(this.#folder, `${this.#stem}.${stampOf(start)}${this.#extension}`);
  }

  /**
   * Removes the oldest files, so that `keep` files stay.
   *
   * @param written The start of the file that is being written. It counts as one of the files, and is never removed.
   * @param isKept Whether a file must not be removed, although it is one of the oldest.
   * @returns the files that could not be removed, and the errors
   */
  prune(
    keep: number,
    written: number,
    isKept: (path: string) => boolean,
  ): { readonly path: string; readonly cause: unknown }[] {
    const others = this.starts().filter((start) => start !== written);
    const excess = others.slice(0, Math.max(0, others.length - (keep - 1))).map((start) => this.path(start));
    return excess.flatMap((path) => {
      if (isKept(path)) return [];
      try {
        unlinkSync(path);
        return [];
      } catch (cause) {
        // Another command that records to the row has removed it.
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
        return [{ path, cause }];
      }
    });
  }
}

/** Formats a start for a file name. It has no colons, because some file systems refuse them. */
function stampOf(start: number): string {
  return formatTime(start / 1000).replaceAll(':', '');
}
