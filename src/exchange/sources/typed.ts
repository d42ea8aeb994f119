import { type Eol, withEol } from '../../input/eol.js';
import { readTypedLines } from '../../input/typed-lines.js';
import type { Encoding } from '../../text/encoding.js';
import { unlessAborted } from '../../run/interruption.js';
import type { ReadTyping } from '../../run/typing.js';
import type { Exchange } from '../exchange.js';
import type { Pace, Source, SourceOptions } from './source.js';

/** Lines that the user types. Each line is a message. A line that cannot be sent is warned of, and the next one can be typed. */
export class TypedSource implements Source {
  readonly rounds = undefined;
  readonly measures = false;
  readonly #read: ReadTyping;
  readonly #eol: Eol | undefined;

  private constructor(read: ReadTyping, eol: Eol | undefined) {
    this.#read = read;
    this.#eol = eol;
  }

  /** @param eol the end of line behind each message. Default: none. */
  static of(
    encoding: Encoding,
    eol: Eol | undefined,
    { io, readTyping }: Pick<SourceOptions, 'io' | 'readTyping'>,
  ): TypedSource {
    const read = readTyping ?? ((handlers) => Promise.resolve(readTypedLines(io.stdin, encoding, handlers)));
    return new TypedSource(read, eol);
  }

  /** Sends typed lines until stdin ends, enough replies came, or the run is interrupted. It does not throw. */
  async send(exchange: Exchange, { interruption, notes }: Pace): Promise<void> {
    let sending = Promise.resolve();
    let end = (): void => undefined;
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    const reader = await this.#read({
      line: (payload) => {
        sending = sending
          .then(() => exchange.send([withEol(payload, this.#eol)]))
          .catch((error: unknown) => {
            notes.warn(`not sent: ${error instanceof Error ? error.message : String(error)}`);
          });
      },
      bad: (error) => {
        notes.warn(`not sent: ${error.message}`);
      },
      end,
    });
    await unlessAborted(ended, [exchange.enough, interruption.signal], () => undefined);
    reader.stop();
    await sending;
  }
}
