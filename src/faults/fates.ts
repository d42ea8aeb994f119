import type { Effect, Fate } from './fault.js';
import { randomStreams } from './random.js';
import { type FaultName, FAULTS, type FaultSettings } from './table.js';

const STREAMS = 1 + Math.max(...Object.values(FAULTS).map(({ stream = -1 }) => stream));

/**
 * Decides the fate of each datagram: its loss, copies, delays and damage. The fate depends only on the seed and on the number
 * of datagrams before it. Each fault has its own stream of random numbers, and draws equally many for every datagram: so
 * one fault does not change what another does.
 */
export class Fates {
  readonly #effects: readonly Effect[];

  /** @param seed a whole number from 0 to 2^32 - 1 */
  constructor(settings: FaultSettings, seed: number) {
    const streams = randomStreams(seed, STREAMS);
    this.#effects = (Object.keys(FAULTS) as FaultName[]).flatMap((name) => {
      const setting = settings[name];
      const { create, stream } = FAULTS[name];
      if (setting === undefined) return [];
      const random = stream === undefined ? undefined : streams[stream];
      // The compiler does not see that the setting and the fault of one name belong together.
      return [(create as (...args: unknown[]) => Effect)(setting, random)];
    });
  }

  /**
   * Decides the fate of the next datagram.
   *
   * @param bytes the size of its payload
   * @param sinceStartMs when it is ready, in milliseconds since the start of the service. Only blackholes depend on it.
   */
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
