import type { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { escapeText } from '../text/escape.js';

/** Shortest time between two changes of the line. */
const UPDATE_MS = 250;
/** How long the line stays away after something else was written to the terminal. So it does not slow down a flood. */
const ASIDE_MS = 50;
/** The width of a terminal that does not tell its width. */
const DEFAULT_COLUMNS = 80;

/** Moves to the first column and clears the line (EL of ECMA-48). */
const ERASE = '\r\x1b[K';

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
 * One line at the bottom of a terminal, which is replaced in place. Other output on the terminal must end in a newline;
 * it stands above the line. The timers of the line do not keep the process alive.
 */
export class StatusLine implements BottomLine {
  readonly #stream: () => Writable;
  #latest = '';
  /** The text of the line. Undefined while there is no line. */
  #text: string | undefined;
  /** Whether the line is on the terminal now. */
  #shown = false;
  #updatedMs = -Infinity;
  #update: NodeJS.Timeout | undefined;
  #comeBack: NodeJS.Timeout | undefined;

  /** @param stream Opens the stream. Called when something is drawn. */
  constructor(stream: () => Writable) {
    this.#stream = stream;
  }

  /** Shows a text within 250 ms, cut to the width of the terminal. Undefined removes the line at once. */
  set(text: string | undefined): void {
    if (text === undefined) {
      clearTimeout(this.#update);
      clearTimeout(this.#comeBack);
      this.#update = this.#comeBack = undefined;
      this.#text = undefined;
      this.erase();
      return;
    }
    this.#latest = text;
    if (this.#update !== undefined) return;
    const delayMs = this.#updatedMs + UPDATE_MS - performance.now();
    if (delayMs <= 0) this.#change();
    else this.#update = setTimeout(this.#change, delayMs).unref();
  }

  readonly #change = (): void => {
    this.#update = undefined;
    this.#updatedMs = performance.now();
    if (this.#shown && this.#text === this.#latest) return;
    this.#text = this.#latest;
    this.draw();
  };

  /** Draws the line, if there is one, in the row of the cursor. */
  draw(): void {
    if (this.#text === undefined) return;
    const stream = this.#stream();
    const { columns = 0 } = stream as Partial<WriteStream>;
    // One column less: a text in the last column would move the cursor to the next row.
    const width = (columns > 0 ? columns : DEFAULT_COLUMNS) - 1;
    stream.write(`${ERASE}${Array.from(escapeText(this.#text)).slice(0, width).join('')}`);
    this.#shown = true;
  }

  /** Removes the line from the terminal, until {@link draw} is called. */
  erase(): void {
    if (!this.#shown) return;
    this.#stream().write(ERASE);
    this.#shown = false;
  }

  /** Removes the line before another stream writes to the same terminal. The line comes back after 50 ms. */
  putAside(): void {
    if (!this.#shown) return;
    this.erase();
    this.#comeBack ??= setTimeout(() => {
      this.#comeBack = undefined;
      if (!this.#shown) this.draw();
    }, ASIDE_MS).unref();
  }
}
