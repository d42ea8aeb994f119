import { clearScreenDown, createInterface, cursorTo, type Interface, type Key, moveCursor } from 'node:readline';
import type { TypedLineHandlers, TypedLines } from '../input/typed-lines.js';
import type { BottomLine } from '../output/status-line.js';
import { decode, type Encoding, EncodingError } from '../text/encoding.js';
import type { Context } from './context.js';

/** Stands before the line that the user types. It is dim, so that the line looks different from received datagrams. */
const PROMPT = '> ';
/** Stands for bytes that Node could not decode. */
const REPLACEMENT = '\u{fffd}';

/**
 * Reads lines that a person types at a terminal, with line editing and history. The line that is being typed stays below all
 * other output. Ctrl-C interrupts the command.
 */
export function readEditedLines(context: Context, encoding: Encoding, handlers: TypedLineHandlers): TypedLines {
  const { stdin, stderr, log, stderrPalette } = context;
  const reader = createInterface({ input: stdin, output: stderr, terminal: true, prompt: stderrPalette.dim(PROMPT) });
  let stopped = false;
  const stop = (): void => {
    if (stopped) return;
    stopped = true;
    log.keepBelow(undefined);
    // Lines that came together with the last one are not read any more.
    reader.off('line', onLine);
    stdin.off('keypress', onKey);
    reader.close();
    // An open stdin would keep the process from ending.
    stdin.destroy();
  };
  const onLine = (line: string): void => {
    take(line, encoding, handlers);
    if (!stopped) reader.prompt();
  };
  reader.on('line', onLine);
  reader.on('SIGINT', () => {
    context.interrupt();
  });
  reader.on('close', () => {
    if (stopped) return;
    stop();
    handlers.end();
  });
  // A Ctrl-D that was typed before the reader began arrives as NUL: the terminal took it for the end of its input.
  const onKey = (_text: string | undefined, { sequence }: Key): void => {
    if (sequence === '\0' && reader.line === '') reader.close();
  };
  stdin.on('keypress', onKey);
  log.keepBelow(new TypedLine(reader, stderr));
  return { stop };
}

function take(line: string, encoding: Encoding, { line: sends, bad }: TypedLineHandlers): void {
  try {
    if (line.includes(REPLACEMENT)) throw new EncodingError('it is not valid UTF-8; -e hex takes such bytes');
    sends(decode(Buffer.from(line), encoding));
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error;
    bad(error);
  }
}

/** The line that is being typed. It may fill several rows of the terminal. */
class TypedLine implements BottomLine {
  readonly #reader: Interface;
  readonly #terminal: NodeJS.WritableStream;
  #shown = false;
  #comeBack: NodeJS.Immediate | undefined;

  constructor(reader: Interface, terminal: NodeJS.WritableStream) {
    this.#reader = reader;
    this.#terminal = terminal;
    this.draw();
  }

  draw(): void {
    this.#reader.prompt(true);
    this.#shown = true;
  }

  erase(): void {
    clearImmediate(this.#comeBack);
    this.#comeBack = undefined;
    if (!this.#shown) return;
    const { rows } = this.#reader.getCursorPos();
    moveCursor(this.#terminal, 0, -rows);
    cursorTo(this.#terminal, 0);
    clearScreenDown(this.#terminal);
    // The reader would move the cursor up by these rows before it draws again.
    (this.#reader as { prevRows?: number }).prevRows = 0;
    this.#shown = false;
  }

  putAside(): void {
    this.erase();
    this.#comeBack = setImmediate(() => {
      this.draw();
    });
  }
}
