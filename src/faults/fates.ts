import type { ActiveFault } from './active-fault.js';
import type { Effect, Fate, Flow, Judged } from './fault.js';
import { MOST_QUEUE_MS } from './line.js';
import { type Random, randomStreams } from './random.js';
import { FAULTS } from './table.js';

const STREAMS = 1 + Math.max(...Object.values(FAULTS).map(({ stream = -1 }) => stream));

/**
 * Decides the fate of each datagram: its loss, copies, delays and damage. Each fault has its own stream of random numbers, and
 * draws equally many for every datagram: so one fault does not change what another does.
 *
 * With {@link next} the fate depends on the seed and on the number of datagrams before it. With {@link at} it depends on the
 * seed and on the place of the datagram, however many datagrams of other conversations came before it.
 */
export class Fates {
  readonly #seed: number;
  readonly #streams: readonly Random[];
  /** The effect of each fault. A fault that acts again goes on where it was. */
  readonly #made = new WeakMap<ActiveFault, Effect>();
  #acting: readonly { readonly effect: Effect; readonly actsOn: ActiveFault['actsOn'] }[] = [];
  /** The streams of the faults that draw random numbers, by their numbers. */
  #used: readonly (readonly [number, Random])[] = [];

  /** @param seed a whole number from 0 to 2^32 - 1 */
  constructor(faults: readonly ActiveFault[], seed: number) {
    this.#seed = seed;
    this.#streams = randomStreams(seed, STREAMS);
    this.change(faults);
  }

  /** Replaces the faults. Those that acted before keep their state. */
  change(faults: readonly ActiveFault[]): void {
    this.#acting = faults.map((fault) => ({ effect: this.#effectOf(fault), actsOn: fault.actsOn }));
    const numbers = new Set(faults.flatMap(({ stream = [] }) => stream));
    this.#used = [...numbers].map((number) => [number, this.#streams[number] as Random] as const);
  }

  #effectOf(fault: ActiveFault): Effect {
    const known = this.#made.get(fault);
    if (known !== undefined) return known;
    const effect = fault.create(fault.stream === undefined ? undefined : this.#streams[fault.stream]);
    this.#made.set(fault, effect);
    return effect;
  }

  /**
   * Decides the fate of the next datagram.
   *
   * @param bytes the size of its payload
   * @param sinceStartMs when it is ready, in milliseconds since the start of the service. Only blackholes depend on it.
   * @param nth its number in its conversation, from 1. Only `--lose` depends on it.
   */
  next(bytes: number, sinceStartMs = 0, nth = 0): Fate {
    return this.#decide({ bytes, sinceStartMs, nth, flow: undefined });
  }

  /** Decides the fate of a datagram by its place. */
  at(datagram: Judged & { readonly flow: Flow }): Fate {
    const { flow, nth } = datagram;
    for (const [stream, random] of this.#used) random.moveTo(this.#seed, stream, flow.number, nth);
    return this.#decide(datagram);
  }

  #decide(datagram: Judged): Fate {
    const { flow } = datagram;
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
    for (const { effect, actsOn } of this.#acting) {
      if (actsOn === undefined || (flow !== undefined && actsOn(flow.number))) effect(fate, datagram);
    }
    fate.flippedBits = fate.flip((fate.keptBytes ?? datagram.bytes) * 8);
    return fate;
  }
}

const NONE: readonly number[] = [];

function noBits(): readonly number[] {
  return NONE;
}
