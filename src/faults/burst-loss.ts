import type { Fault } from './fault.js';
import type { Random } from './random.js';
import { ValueError } from '../net/errors.js';
import { readPercentage } from '../text/number.js';

/**
 * The four parameters of the Gilbert-Elliott model, each a probability from 0 to 1, under the names of the literature
 * (Gilbert, Capacity of a Burst-Noise Channel, 1960; Elliott, Estimates of Error Rates for Codes on Burst-Noise Channels,
 * 1963; tc-netem(8), `loss gemodel`). The share of time in the bad state is p / (p + r), its mean length 1 / r datagrams.
 */
export interface BurstLossParameters {
  /** From good to bad, before each next datagram. */
  readonly p: number;
  /** From bad to good. */
  readonly r: number;
  /** That a datagram passes in the good state: 1 in Gilbert's model. */
  readonly k: number;
  /** That one passes in the bad state: 0 where every datagram of a burst is lost. */
  readonly h: number;
}

/** Loss in bursts: a chain of two states, begun in the good one. */
class BurstLoss {
  readonly #parameters: BurstLossParameters;
  readonly #random: Random;
  #bad = false;

  constructor(parameters: BurstLossParameters, random: Random) {
    this.#parameters = parameters;
    this.#random = random;
  }

  /** Whether the next datagram is lost. Takes two random numbers, whatever becomes of it. */
  loses(): boolean {
    const { p, r, k, h } = this.#parameters;
    const lost = this.#random.fraction() >= (this.#bad ? h : k);
    if (this.#random.fraction() < (this.#bad ? r : p)) this.#bad = !this.#bad;
    return lost;
  }
}

/** Reads `p:r`, `p:r:k` or `p:r:k:h`, percentages; without k and h everything passes between bursts, and nothing in them. */
export function parseBurstLoss(text: string): BurstLossParameters {
  const parts = text.split(':').map(readPercentage);
  const [p, r, k = 1, h = 0] = parts;
  if (p === undefined || r === undefined || parts.includes(undefined) || parts.length > 4) {
    throw new ValueError('A burst loss is p:r, p:r:k or p:r:k:h, such as 1%:25% or 1%:25%:100%:10%.');
  }
  return { p, r, k, h };
}

/** Loses datagrams in bursts. */
export const burstLoss: Fault<BurstLossParameters> = {
  flags: '--burst-loss <p:r>',
  help: 'lose answers in bursts (Gilbert-Elliott): p from good to bad, r back; p:r:k:h adds the shares that pass in good and in bad',
  read: parseBurstLoss,
  stream: 1,
  create: (parameters, random) => {
    const chain = new BurstLoss(parameters, random);
    return (fate) => {
      if (chain.loses()) fate.lost = true;
    };
  },
};
