import { formatDuration } from '../text/time.js';
import { Alarm } from '../timing/alarm.js';

/**
 * The time for reading pipes before a run begins. Nobody may ever write to a pipe, and `--duration` and `--idle` hold all the
 * same. Files are read however long it takes.
 */
export class ReadingTime implements Disposable {
  readonly #over = new AbortController();
  readonly #alarm: Alarm;

  /**
   * @param plan the times in milliseconds. Default: no limit.
   * @param consequence what did not happen, in words, for the error
   */
  constructor(
    {
      duration = Infinity,
      idle = Infinity,
    }: { readonly duration?: number | undefined; readonly idle?: number | undefined },
    consequence: string,
  ) {
    const limitMs = Math.min(duration, idle);
    const option = duration <= idle ? '--duration' : '--idle';
    this.#alarm = new Alarm(() => {
      const why = `nobody ended the pipe within the ${formatDuration(limitMs)} of ${option}; ${consequence}`;
      this.#over.abort(new Error(why));
    });
    if (limitMs < Infinity) this.#alarm.set(limitMs);
  }

  /** Aborted when the time is over. The reason is an error whose message follows "cannot read FILE: ". */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  [Symbol.dispose](): void {
    this.#alarm.stop();
  }
}
