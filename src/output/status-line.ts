import type { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { escapeText } from '../text/escape.js';

/** Shortest time between two changes of the status. */
const UPDATE_MS = 250;
/** How long the status stays away after something else was written to the terminal. So it does not slow down a flood. */
const ASIDE_MS = 50;
/** The width of a terminal that does not tell its width. */
const DEFAULT_COLUMNS = 80;

/** Moves to the first column and clears the row (EL of ECMA-48). */
const ERASE = '\r\x1b[K';
/** Moves to the row above and clears it (CUU, EL). */
const ERASE_ABOVE = '\x1b[A\x1b[K';

/** A piece of a row, and the function that colours it. The text is escaped; what `paint` adds is not. */
export interface StatusSpan {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

/** One row of a status, from left to right. */
export type StatusRow = readonly StatusSpan[];

/** A line at the bottom of a terminal, below all other output. */
export interface BottomLine {
  /** Draws the line, if there is one. The cursor is in the first column of an empty row. */
  draw(): void;
  /** Removes the line from the terminal, until {@link draw} is called. */
  erase(): void;
  /** Removes the line before another stream writes to the same terminal. The line comes back by itself. */
  putAside(): void;
}

/**
 * What a status shows: a text of one row, or rows. A function is called when the status changes on the terminal, at most
 * four times a second.
 */
export type Status = string | (() => readonly StatusRow[]);

/**
 * Rows at the bottom of a terminal, usually one, which are replaced in place. Other output on the terminal must end in a
 * newline; it stands above the rows. The timers of the status do not keep the process alive.
 */
export class StatusLine implements BottomLine {
  readonly #stream: () => Writable;
  #latest: Status = '';
  /** The rows that are drawn, cut to the width; undefined while there is no status. */
  #rows: readonly string[] | undefined;
  /** How many rows stand on the terminal now. */
  #shown = 0;
  #updatedMs = -Infinity;
  #update: NodeJS.Timeout | undefined;
  #comeBack: NodeJS.Timeout | undefined;

  /** @param stream Opens the stream. Called when something is drawn. */
  constructor(stream: () => Writable) {
    this.#stream = stream;
  }

  /** Shows the status within 250 ms, cut to the width of the terminal. Undefined removes it at once. */
  set(status: Status | undefined): void {
    if (status === undefined) {
      clearTimeout(this.#update);
      clearTimeout(this.#comeBack);
      this.#update = this.#comeBack = undefined;
      this.#rows = undefined;
      this.erase();
      return;
    }
    this.#latest = status;
    if (this.#update !== undefined) return;
    const delayMs = this.#updatedMs + UPDATE_MS - performance.now();
    if (delayMs <= 0) this.#change();
    else this.#update = setTimeout(this.#change, delayMs).unref();
  }

  readonly #change = (): void => {
    this.#update = undefined;
    this.#updatedMs = performance.now();
    const latest = this.#latest;
    const rows = (typeof latest === 'string' ? [[{ text: latest }]] : latest()).map((row) => this.#cut(row));
    if (this.#shown > 0 && rows.length === this.#rows?.length && rows.every((row, nth) => row === this.#rows?.[nth]))
      return;
    this.#rows = rows;
    this.draw();
  };

  #cut(row: StatusRow): string {
    const { columns = 0 } = this.#stream() as Partial<WriteStream>;
    // One column less: a text in the last column would move the cursor to the next row.
    let left = (columns > 0 ? columns : DEFAULT_COLUMNS) - 1;
    return row
      .map(({ text, paint }) => {
        const shown = Array.from(escapeText(text)).slice(0, left);
        left -= shown.length;
        return paint === undefined || shown.length === 0 ? shown.join('') : paint(shown.join(''));
      })
      .join('');
  }

  /** Draws the status, if there is one, from the row of the cursor on. */
  draw(): void {
    if (this.#rows === undefined) return;
    const erase = this.#shown > 0 ? this.#erasing() : ERASE;
    this.#stream().write(`${erase}${this.#rows.join('\n')}`);
    this.#shown = this.#rows.length;
  }

  #erasing(): string {
    return ERASE + ERASE_ABOVE.repeat(this.#shown - 1);
  }

  /** Removes the status from the terminal, until {@link draw} is called. */
  erase(): void {
    if (this.#shown === 0) return;
    this.#stream().write(this.#erasing());
    this.#shown = 0;
  }

  /** Removes the status before another stream writes to the same terminal. It comes back after 50 ms. */
  putAside(): void {
    if (this.#shown === 0) return;
    this.erase();
    this.#comeBack ??= setTimeout(() => {
      this.#comeBack = undefined;
      if (this.#shown === 0) this.draw();
    }, ASIDE_MS).unref();
  }
}
