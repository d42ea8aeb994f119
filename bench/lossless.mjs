// The highest rate at which nothing is lost, searched for in steps of about 10 %.

/** Most rates that are tried in one search. */
const MOST_RATES = 16;
const STEP = 1.1;
/** A sender that reaches less than that share of a rate has come to its own limit. */
const REACHED = 0.95;
/** Nobody receives more, and nobody loses something at less, a second. */
const [LEAST, MOST] = [1000, 100e6];

/**
 * Searches from a rate on, in steps that grow as long as they lead the same way. A rate is too high, for the receiver or
 * for the sender, when it was so twice: one disturbance does not count.
 *
 * @param {(rate: number) => Promise<{ lossless: boolean, reached: number }>} attempt sends at a rate for a while
 * @param {number} from where to begin, a second
 * @param {number} [step] the first step, as a factor
 * @returns {Promise<{ value: number, limited: boolean }>} `limited`: the sender went no faster
 */
export async function highestLosslessRate(attempt, from, step = STEP) {
  let [lossless, lossy] = [0, Infinity];
  let rate = from;
  for (let nth = 0; nth < MOST_RATES && lossy / lossless > STEP * 1.01 && rate > LEAST && rate < MOST; nth++) {
    let result = await attempt(rate);
    if (!result.lossless || result.reached < rate * REACHED) result = await attempt(rate);
    const { reached } = result;
    if (result.lossless) {
      lossless = Math.max(lossless, Math.min(rate, reached));
      if (reached < rate * REACHED) return { value: lossless, limited: true };
    } else {
      lossy = Math.min(lossy, rate);
    }
    if (lossless === 0) rate = lossy / step;
    else if (lossy === Infinity) rate = lossless * step;
    else rate = Math.sqrt(lossless * lossy);
    step = Math.min(step * step, 2);
  }
  return { value: lossless, limited: false };
}
