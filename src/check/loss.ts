import type { Measurement } from './measurement.js';
import { percentOf } from './percent.js';

/** The requests without a matching reply in time, and how many of them are allowed. */
export interface Loss {
  readonly requests: number;
  /** Requests whose first reply came in time and met the expectations. */
  readonly answered: number;
  /** All other requests: without a reply, refused, with a wrong reply, or with a late one. */
  readonly lost: number;
  /** The lost requests in percent, see {@link percentOf}. */
  readonly percent: number;
  /** The largest loss that is allowed, in percent. */
  readonly maxPercent: number;
  /** How many requests must be answered, so that the loss is allowed. */
  readonly wanted: number;
}

/** More than the error of a product of two floating-point numbers, and less than one request. */
const ROUNDING = 1e-6;

/** Compares the loss of a measurement with the largest loss that is allowed. @param maxLoss a share from 0 to 1 */
export function lossOf({ requests, answered }: Pick<Measurement, 'requests' | 'answered'>, maxLoss: number): Loss {
  const lost = requests - answered;
  return {
    requests,
    answered,
    lost,
    percent: percentOf(lost, requests),
    maxPercent: Number((maxLoss * 100).toPrecision(12)),
    // 29 % of 100 are 28.999999999999996 in floating point.
    wanted: requests - Math.floor(maxLoss * requests + ROUNDING),
  };
}
