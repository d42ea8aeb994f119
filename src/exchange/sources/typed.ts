import { readTypedLines } from '../../input/typed-lines.js';
import type { Io } from '../../run/context.js';
import type { Encoding } from '../../text/encoding.js';
import type { Exchange } from '../exchange.js';
import type { Pace, Source } from './source.js';

/** Lines that the user types. Each line is a message. A line that cannot be sent is warned of, and the next one can be typed. */
export class TypedSource implements Source {
  readonly rounds = undefined;
  readonly measures = false;
  readonly #io: Pick<Io, 'stdin'>;
  readonly #encoding: Encoding;

  constructor(io: Pick<Io, 'stdin'>, encoding: Encoding) {
    this.#io = io;
    this.#encoding = encoding;
  }

  /** Sends typed lines until stdin ends, enough replies came, or the run is interrupted. It does not throw. */
  async send(exchange: Exchange, { interruption, notes }: Pace): Promise<void> {
    await new Promise<void>((resolve) => {
      let sending = Promise.resolve();
      const finish = (): void => {
        reader.stop();
        void sending.then(resolve);
      };
      const reader = readTypedLines(this.#io.stdin, this.#encoding, {
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
        end: finish,
      });
      for (const signal of [exchange.enough, interruption.signal]) {
        if (signal.aborted) finish();
        else signal.addEventListener('abort', finish, { once: true });
      }
    });
  }
}
