import type { RandomFault } from './fault.js';
import type { Random } from './random.js';
import { ValueError } from '../net/errors.js';
import { readPercentage } from '../text/number.js';

/**
 * The four parameters of the Gilbert-Elliott model. A chain changes between a good and a bad state. Each parameter is a
 * probability from 0 to 1. The chain spends the share p / (p + r) of the time in the bad state. A stay in the bad state
 * lasts 1 / r datagrams on average.
 *
 * The names are those of the literature: Gilbert, Capacity of a Burst-Noise Channel, 1960; Elliott, Estimates of Error Rates
 * for Codes on Burst-Noise Channels, 1963; tc-netem(8), `loss gemodel`.
 */
export interface BurstLossParameters {
  /** The probability that the state changes from good to bad after a datagram. */
  readonly p: number;
  /** The probability that the state changes from bad to good after a datagram. */
  readonly r: number;
  /** The probability that a datagram passes in the good state. In Gilbert's model it is 1. */
  readonly k: number;
  /** The probability that a datagram passes in the bad state. With 0, every datagram of a burst is lost. */
  readonly h: number;
}

/** Loses datagrams in bursts. It starts in the good state. */
class BurstLoss {
  readonly #parameters: BurstLossParameters;
  readonly #random: Random;
  #bad = false;

  constructor(parameters: BurstLossParameters, random: Random) {
    this.#parameters = parameters;
    this.#random = random;
  }

  /** Whether the next datagram is lost. Each call draws two random numbers, whatever the result. */
  loses(): boolean {
    const { p, r, k, h } = this.#parameters;
    const lost = this.#random.fraction() >= (this.#bad ? h : k);
    if (this.#random.fraction() < (this.#bad ? r : p)) this.#bad = !this.#bad;
    return lost;
  }
}

/**
 * Reads `p:r`, `p:r:k` or `p:r:k:h`, each a percentage. Default: k is 100 % and h is 0 %, so that nothing is lost in the good
 * state, and everything in the bad one.
 *
 * @throws {ValueError} for any other text
 */
export function parseBurstLoss(text: string): BurstLossParameters {
  const parts = text.split(':').map(readPercentage);
  const [p, r, k = 1, h = 0] = parts;
  if (p === undefined || r === undefined || parts.includes(undefined) || parts.length > 4) {
    throw new ValueError('A burst loss is p:r, p:r:k or p:r:k:h, such as 1%:25% or 1%:25%:100%:10%.');
  }
  return { p, r, k, h };
}

/** Loses datagrams in bursts. */
export const burstLoss: RandomFault<BurstLossParameters> = {
  flags: '--burst-loss <p:r>',
  help: 'lose answers in bursts (Gilbert-Elliott): p from good to bad, r back; p:r:k:h adds the shares that pass in good and in bad',
  read: parseBurstLoss,
  stream: 1,
  create: (parameters, random) => {
    const chain = new BurstLoss(parameters, random);
    return (fate) => {
      if (chain.loses()) fate.lostBy ??= 'burstLoss';
    };
  },
};
