// Searches for the highest rate without loss.

/** How many rates a search tries at most. */
const MOST_RATES = 20;
/** The search ends when the lossy rate is at most this many times the lossless one: the result is off by up to 10 %. */
const STEP = 1.1;
/** A search ends when datagrams are lost below this rate, in datagrams a second: the result is 0. */
const LEAST_RATE = 1000;
/** A sender that reaches less than this share of the rate asked for is at its limit. */
const LEAST_REACHED = 1 / 4;

/**
 * Searches for the highest rate without loss, in steps that grow until one rate is lossy and another is not.
 *
 * The rate that the sender reached counts, not the one asked for: on a busy machine it is lower. A rate is lossy if
 * datagrams were lost in two attempts, so that one disturbance does not count.
 *
 * @param {(rate: number) => Promise<{ lossless: boolean, reached: number }>} attempt sends at a rate for a while
 * @param {number} from the first rate to try, in datagrams a second
 * @param {{ step?: number, withinMs?: number }} [options] `step`: the first step, as a factor. `withinMs`: no rate is tried after
 *   this time; the result may then be too low. Default: no limit
 * @returns {Promise<{ value: number, asked: number, limited: boolean }>} `value`: the highest rate without loss;
 *   `asked`: the rate to begin with the next time; `limited`: the sender could not send faster, so the receiver may
 *   take more
 */
export async function highestLosslessRate(attempt, from, { step = STEP, withinMs = Infinity } = {}) {
  const endMs = Date.now() + withinMs;
  let [lossless, lossy, asked] = [0, Infinity, from];
  let rate = from;
  for (let nth = 0; nth < MOST_RATES && lossy > Math.max(lossless * STEP, LEAST_RATE); nth++) {
    if (Date.now() >= endMs) break;
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
