import type { Effect, Fate } from './fault.js';
import { randomStreams } from './random.js';
import { type FaultName, FAULTS, type FaultSettings } from './table.js';

const STREAMS = 1 + Math.max(...Object.values(FAULTS).map(({ stream }) => stream));

/**
 * Decides the fate of each datagram, by nothing but the seed and the datagram's number. Each fault has random numbers of its
 * own, and takes equally many for every datagram. To turn one fault on or off changes none of the others.
 */
export class Fates {
  readonly #effects: readonly Effect[];

  /** @param seed 0 to 2^32 - 1 */
  constructor(settings: FaultSettings, seed: number) {
    const streams = randomStreams(seed, STREAMS);
    this.#effects = (Object.keys(FAULTS) as FaultName[]).flatMap((name) => {
      const setting = settings[name];
      const { create, stream } = FAULTS[name];
      // The table pairs each setting with its own fault, which the compiler cannot follow through a name.
      return setting === undefined ? [] : [(create as (...args: unknown[]) => Effect)(setting, streams[stream])];
    });
  }

  /** The fate of the next datagram, which has so many bytes and is ready so long after the start. */
  next(bytes: number, sinceStartMs = 0): Fate {
    const fate: Fate = {
      lost: false,
      blackholed: false,
      keptBytes: undefined,
      duplicated: false,
      reordered: false,
      delaysMs: [0, 0],
      flip: () => [],
      flippedBits: [],
    };
    for (const effect of this.#effects) effect(fate, { bytes, sinceStartMs });
    fate.flippedBits = fate.flip((fate.keptBytes ?? bytes) * 8);
    return fate;
  }
}
