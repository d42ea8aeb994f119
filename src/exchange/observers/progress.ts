import type { Measurement } from '../../check/measurement.js';
import { type FormatName, FORMATS } from '../../output/formats/table.js';
import type { Context } from '../../run/context.js';
import type { ExchangeObserver } from '../events.js';
import type { ExchangePlan } from '../plan.js';

/** The plan of {@link watchProgress}. */
export interface ProgressPlan extends Pick<ExchangePlan, 'messages' | 'count' | 'duration' | 'interval' | 'rate'> {
  /** The value of `--stats`. Default: true at a terminal. */
  readonly stats: boolean | undefined;
  /** The format of replies on stdout. */
  readonly output: FormatName;
}

/**
 * Makes an observer that shows a progress line, for runs that take a while. It is empty without a terminal on stderr, with
 * `--no-stats`, and with raw replies on the terminal, which the line would garble.
 */
export function watchProgress(plan: ProgressPlan, context: Context): ExchangeObserver {
  const { stats, output, count = 1, duration, messages } = plan;
  const { log, terminals } = context;
  if (stats === false || !log.hasStatus || (terminals.stdout && FORMATS[output].isRaw === true)) return {};
  let measurement: Measurement | undefined;
  let hide = (): void => undefined;
  return {
    measuring: (event) => {
      ({ measurement } = event);
    },
    opened: async ({ exchange, rounds }) => {
      const takesAWhile = messages.kind !== 'typing' && (count > 1 || duration !== undefined || rounds === undefined);
      if (!takesAWhile) return;
      const { showProgress } = await import('./progress-line.js');
      hide = showProgress(plan, context, { exchange, measurement, size: rounds });
    },
    closed: () => {
      hide();
    },
  };
}
