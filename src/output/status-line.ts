import type { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';
import { escapeText } from '../text/escape.js';

/** How often the line changes at most. */
const UPDATE_MS = 250;
/** How long it stays away when something else was written to its terminal, so that a flood is not slowed by it. */
const ASIDE_MS = 50;
/** For a terminal that does not know its width. */
const DEFAULT_COLUMNS = 80;

/** Back to the first column, and nothing right of there: ECMA-48, EL. */
const ERASE = '\r\x1b[K';

/**
 * One line at the bottom of a terminal that is replaced in place. Its timers keep no process alive. What else is written
 * to the terminal must end in a newline, and stands above it.
 */
export class StatusLine {
  readonly #stream: () => Writable;
  #latest = '';
  /** What is drawn; undefined while there is no line. */
  #text: string | undefined;
  /** Whether it stands on the terminal now. */
  #shown = false;
  #updatedMs = -Infinity;
  #update: NodeJS.Timeout | undefined;
  #comeBack: NodeJS.Timeout | undefined;

  /** @param stream opened with the first line that is drawn */
  constructor(stream: () => Writable) {
    this.#stream = stream;
  }

  /** Shows the text, cut to the width of the terminal, at once or within 250 ms; undefined takes the line away at once. */
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

  /** Draws the line, if there is one, where the cursor is. */
  draw(): void {
    if (this.#text === undefined) return;
    const stream = this.#stream();
    const { columns = 0 } = stream as Partial<WriteStream>;
    // In the last column the cursor would be about to go to the next line.
    const width = (columns > 0 ? columns : DEFAULT_COLUMNS) - 1;
    stream.write(`${ERASE}${Array.from(escapeText(this.#text)).slice(0, width).join('')}`);
    this.#shown = true;
  }

  /** Takes the line off the terminal until it is drawn again. */
  erase(): void {
    if (!this.#shown) return;
    this.#stream().write(ERASE);
    this.#shown = false;
  }

  /** Makes room for what another stream is about to write to the same terminal; the line comes back by itself. */
  putAside(): void {
    if (!this.#shown) return;
    this.erase();
    this.#comeBack ??= setTimeout(() => {
      this.#comeBack = undefined;
      if (!this.#shown) this.draw();
    }, ASIDE_MS).unref();
  }
}
