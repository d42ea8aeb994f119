import { readdirSync, unlinkSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { formatTime } from '../text/time.js';

/** When a row of files goes on with a new one, and how many it keeps. */
export interface Rotation {
  /** A file holds no more bytes, unless its only record is larger. Default: no limit. */
  readonly maxBytes?: number | undefined;
  /** A file takes no records once it is so old, in milliseconds. Default: no limit. */
  readonly maxAgeMs?: number | undefined;
  /** Files that are kept, the one being written included. Default: all. */
  readonly keep?: number | undefined;
}

/** The files of a recording that is a row: `day.2026-11-29T080000.123456Z.pcap` for `day.pcap`, with their UTC start. */
export class Row {
  readonly #folder: string;
  readonly #stem: string;
  readonly #extension: string;

  /** @param path The name without a start, such as `day.pcap`. */
  constructor(path: string) {
    this.#folder = dirname(path);
    this.#extension = extname(path);
    this.#stem = basename(path, this.#extension);
  }

  /** The starts of the files that are there, in microseconds since the epoch, oldest first. */
  starts(): number[] {
    return readdirSync(this.#folder, { withFileTypes: true })
      .flatMap((entry) => (entry.isFile() ? (this.#startOf(entry.name) ?? []) : []))
      .sort((a, b) => a - b);
  }

  /** The start that a name has, if it is of exactly this form. */
  #startOf(name: string): number | undefined {
    const [before, after] = [`${this.#stem}.`, this.#extension];
    if (!name.startsWith(before) || !name.endsWith(after)) return undefined;
    const stamp = name.slice(before.length, name.length - after.length);
    const [, date = '', hour = '', minute = '', second = '', micros = ''] =
      /^(\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d)\.(\d{6})Z$/.exec(stamp) ?? [];
    const start = Date.parse(`${date}T${hour}:${minute}:${second}Z`) * 1000 + Number(micros);
    // Not a date that there is not, such as the 30th of February.
    return Number.isSafeInteger(start) && stampOf(start) === stamp ? start : undefined;
  }

  /** The path of the file that has this start. */
  path(start: number): string {
    return join(this.#folder, `${this.#stem}.${stampOf(start)}${this.#extension}`);
  }

  /**
   * Removes all but the newest files.
   *
   * @param written The start of the file that is being written: one of the newest, and never removed.
   * @param isKept Whether the file of a path stays though it is not among the newest.
   * @returns what could not be removed, and why
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
        // Another command that records to the row may have removed it.
        if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
        return [{ path, cause }];
      }
    });
  }
}

/** Without the colons of the time, which some file systems do not take in a name. */
function stampOf(start: number): string {
  return formatTime(start / 1000).replaceAll(':', '');
}
