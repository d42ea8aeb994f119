import type { Measurement } from '../../check/measurement.js';
import { type FormatName, FORMATS } from '../../output/formats/table.js';
import type { Context } from '../../run/context.js';
import type { ExchangeObserver } from '../events.js';
import type { ExchangePlan } from '../plan.js';

/** What it depends on whether progress is shown. */
export interface ProgressPlan extends Pick<ExchangePlan, 'messages' | 'count' | 'duration' | 'interval' | 'rate'> {
  /** Whether the user wants totals; undefined for at a terminal. */
  readonly stats: boolean | undefined;
  /** How replies are written to stdout. */
  readonly output: FormatName;
}

/** Shows how far a run is: only one that takes a while, at a terminal on which nothing stands that it would garble. */
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
