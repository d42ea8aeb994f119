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

  private constructor(read: ReadTyping) {
    this.#read = read;
  }

  static of(encoding: Encoding, { io, readTyping }: Pick<SourceOptions, 'io' | 'readTyping'>): TypedSource {
    return new TypedSource(readTyping ?? ((handlers) => Promise.resolve(readTypedLines(io.stdin, encoding, handlers))));
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
          .then(() => exchange.send([payload]))
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
