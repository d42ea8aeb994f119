import type { Effect, Fate, Judged } from './fault.js';
import { MOST_QUEUE_MS } from './line.js';
import { type Random, randomStreams } from './random.js';
import { type FaultName, FAULTS, type FaultSettings } from './table.js';

const STREAMS = 1 + Math.max(...Object.values(FAULTS).map(({ stream = -1 }) => stream));

/**
 * Decides the fate of each datagram: its loss, copies, delays and damage. Each fault has its own stream of random numbers, and
 * draws equally many for every datagram: so one fault does not change what another does.
 *
 * With {@link next} the fate depends on the seed and on the number of datagrams before it. With {@link at} it depends on the
 * seed and on the place of the datagram, however many datagrams of other conversations came before it.
 */
export class Fates {
  readonly #effects: readonly Effect[];
  readonly #seed: number;
  /** The streams of the faults that draw random numbers, by their numbers. */
  readonly #streams: readonly (readonly [number, Random])[];

  /** @param seed a whole number from 0 to 2^32 - 1 */
  constructor(settings: FaultSettings, seed: number) {
    const streams = randomStreams(seed, STREAMS);
    const used: (readonly [number, Random])[] = [];
    this.#effects = (Object.keys(FAULTS) as FaultName[]).flatMap((name) => {
      const setting = settings[name];
      const { create, stream } = FAULTS[name];
      if (setting === undefined) return [];
      const random = stream === undefined ? undefined : streams[stream];
      if (stream !== undefined && random !== undefined) used.push([stream, random]);
      // The compiler does not see that the setting and the fault of one name belong together.
      return [(create as (...args: unknown[]) => Effect)(setting, random)];
    });
    this.#seed = seed;
    this.#streams = used;
  }

  /**
   * Decides the fate of the next datagram.
   *
   * @param bytes the size of its payload
   * @param sinceStartMs when it is ready, in milliseconds since the start of the service. Only blackholes depend on it.
   * @param nth its number in its conversation, from 1. Only `--lose` depends on it.
   */
  next(bytes: number, sinceStartMs = 0, nth = 0): Fate {
    return this.#decide({ bytes, sinceStartMs, nth });
  }

  /** Decides the fate of datagram `nth` of a conversation, both counted from 1. */
  at(conversation: number, datagram: Judged): Fate {
    for (const [stream, random] of this.#streams) random.moveTo(this.#seed, stream, conversation, datagram.nth);
    return this.#decide(datagram);
  }

  #decide(datagram: Judged): Fate {
    const fate: Fate = {
      lostBy: undefined,
      keptBytes: undefined,
      duplicated: false,
      reordered: false,
      delaysMs: [0, 0],
      flip: noBits,
      flippedBits: NONE,
      line: undefined,
      mostQueueMs: MOST_QUEUE_MS,
    };
    for (const effect of this.#effects) effect(fate, datagram);
    fate.flippedBits = fate.flip((fate.keptBytes ?? datagram.bytes) * 8);
    return fate;
  }
}

const NONE: readonly number[] = [];

function noBits(): readonly number[] {
  return NONE;
}
