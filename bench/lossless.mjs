// The highest rate at which nothing is lost, searched for until it is known to about 10 %.

/** Most rates that are tried in one search. */
const MOST_RATES = 20;
const STEP = 1.1;
/** A sender that comes to less than that share of a rate cannot send faster, however much it is asked to. */
const LEAST_REACHED = 1 / 4;

/**
 * Searches from a rate on, in steps that grow as long as they lead the same way. What counts is the rate that was reached,
 * which on a busy machine is less than what was asked for. A rate is too high when it was lossy twice, so that one
 * disturbance does not count.
 *
 * @param {(rate: number) => Promise<{ lossless: boolean, reached: number }>} attempt sends at a rate for a while
 * @param {number} from where to begin, a second
 * @param {number} [step] the first step, as a factor
 * @returns {Promise<{ value: number, asked: number, limited: boolean }>} `asked`: for what rate to ask the next time;
 *   `limited`: the sender went no faster
 */
export async function highestLosslessRate(attempt, from, step = STEP) {
  let [lossless, lossy, asked] = [0, Infinity, from];
  let rate = from;
  for (let nth = 0; nth < MOST_RATES && lossy > lossless * STEP; nth++) {
    let result = await attempt(rate);
    if (!result.lossless) result = await attempt(rate);
    const { reached } = result;
    if (!result.lossless) lossy = Math.min(lossy, reached);
    else if (reached > lossless) [lossless, asked] = [reached, rate];
    if (result.lossless && reached < rate * LEAST_REACHED) return { value: lossless, asked, limited: true };
    if (lossless === 0) rate /= step;
    else if (lossy === Infinity) rate *= step;
    else rate *= Math.sqrt(lossless * lossy) / reached;
    step = Math.min(step * step, 2);
  }
  return { value: lossless, asked, limited: false };
}
