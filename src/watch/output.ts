import { wallClockMs } from '../net/clock.js';
import { formatEvent } from '../output/json-lines.js';
import { LineWriter } from '../output/line-writer.js';
import type { Context } from '../run/context.js';
import type { CheckEvent, StateEvent, WatchSummaryEvent } from './events.js';
import { formatCheck, formatState } from './lines.js';
import type { WatchFormat } from './plan.js';

/** An error that does not end the run: an event of `-o json`. */
interface ErrorEvent {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
  readonly target?: string;
}

/** Writes checks and changes of state to stdout, as lines or as JSON. */
export class WatchOutput {
  readonly #format: WatchFormat;
  readonly #context: Context;
  readonly #writer: LineWriter;

  /** @param onEnd called when stdout takes no more */
  constructor(format: WatchFormat, context: Context, onEnd: () => void) {
    this.#format = format;
    this.#context = context;
    const { log, terminals, stdout, force } = context;
    this.#writer = new LineWriter(stdout, {
      onEnd,
      beforeWrite: () => {
        if (terminals.stdout && log.hasStatus) log.putStatusAside();
      },
      leftOutLine: (count) =>
        format === 'json'
          ? formatEvent({ type: 'drop', where: 'output', count }, wallClockMs())
          : `(${count} lines were left out here, because nobody read those before them)\n`,
    });
    force.addEventListener('abort', this.#writer.abandon, { once: true });
  }

  /** @param address the address of HTTP */
  listening(address: string): void {
    if (this.#format === 'json') this.#writer.write(formatEvent({ type: 'listening', address }, wallClockMs()));
  }

  check(event: CheckEvent): void {
    if (this.#format === 'json') this.#json(event);
    else if (this.#format === 'checks') this.#writer.write(formatCheck(event, wallClockMs(), this.#context.palette));
  }

  /** @param streak the number of equal checks in a row that changed the state, from 1 */
  state(event: StateEvent, streak: number): void {
    if (this.#format === 'json') this.#json(event);
    else if (this.#format !== 'none') {
      this.#writer.write(formatState(event, streak, wallClockMs(), this.#context.palette));
    }
  }

  error(event: ErrorEvent): void {
    if (this.#format === 'json') this.#json(event);
  }

  /** Writes the last line. Only JSON has one. */
  summary(event: WatchSummaryEvent): void {
    if (this.#format === 'json') this.#writer.write(formatEvent(event, wallClockMs()), true);
  }

  #json(event: CheckEvent | StateEvent | ErrorEvent): void {
    this.#writer.write(formatEvent(event, wallClockMs()));
  }

  /** The number of lines that were left out because nobody read the lines before them. */
  get leftOut(): number {
    return this.#writer.leftOut;
  }

  /** Waits until stdout has taken everything, or takes no more. Returns why it took no more, unless its reader closed it. */
  async finish(): Promise<Error | undefined> {
    await this.#writer.finish();
    this.#context.force.removeEventListener('abort', this.#writer.abandon);
    return this.#writer.failure;
  }
}
