import { parseInteger } from '../text/number.js';

/** The state of {@link Random}: four words of 32 bits. At least one must not be 0. */
export type RandomState = readonly [number, number, number, number];

const TWO_TO_32 = 0x1_0000_0000;
/** The golden ratio as a fraction of 2^32, with which splitmix32 counts. */
const GOLDEN = 0x9e3779b9;

/** Returns a seed that differs from run to run. `node:crypto` is not used: to load it takes 2 to 4 ms of a start. */
export function randomSeed(): number {
  return Math.floor(Math.random() * TWO_TO_32);
}

/**
 * The random number generator xoshiro128** 1.1 (Blackman and Vigna, Scrambled Linear Pseudorandom Number Generators, 2018). It
 * uses only integers of 32 bits, so that a state gives the same numbers on every platform. It is good for simulation. It is
 * not secure: an observer can predict the numbers.
 */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  constructor([a, b, c, d]: RandomState) {
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#d = d;
  }

  /**
   * Moves to the numbers of a place. The numbers of each place are independent of those of all other places.
   *
   * @param seed and the other parameters: the place, whole numbers of which the lower 32 bits count
   */
  moveTo(seed: number, stream: number, conversation: number, nth: number): void {
    const low = finish(add(add(add(seed, stream), conversation), nth));
    const high = finish(add(add(add(~seed, nth), stream), conversation));
    this.#a = low;
    this.#b = high;
    this.#c = finish(low + GOLDEN);
    // The state must not be 0.
    this.#d = finish(high + GOLDEN) | 1;
  }

  /** Draws a whole number from 0 to 2^32 - 1. */
  next(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0;
    const shifted = this.#b << 9;
    this.#c ^= this.#a;
    this.#d ^= this.#b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= shifted;
    this.#d = rotate(this.#d, 11);
    return result;
  }

  /** Draws a number from 0 to below 1, in steps of 2^-32. */
  fraction(): number {
    return this.next() / TWO_TO_32;
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/** Adds a word to a hash, as MurmurHash3 does for 32 bits. */
function add(hash: number, word: number): number {
  const mixed = Math.imul(rotate(Math.imul(word, 0xcc9e2d51), 15), 0x1b873593);
  return (Math.imul(rotate(hash ^ mixed, 13), 5) + 0xe6546b64) | 0;
}

/** The finaliser of MurmurHash3: every bit of the result depends on all bits of the hash. */
function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** Derives the seed of a direction from the seed of the user, so that the directions have different faults. */
export function directedSeed(seed: number, direction: 'up' | 'down'): number {
  return finish(add(seed, direction === 'up' ? 1 : 2)) >>> 0;
}

/**
 * Makes independent streams of random numbers. The states come from the generator splitmix32, four words for each stream:
 * a counter starts at the seed, grows by 0x9e3779b9, and is mixed by the finaliser of MurmurHash3.
 *
 * @param seed a whole number from 0 to 2^32 - 1
 */
export function randomStreams(seed: number, count: number): readonly Random[] {
  let counter = seed;
  const word = (): number => {
    counter = (counter + GOLDEN) | 0;
    return finish(counter);
  };
  // The mixing maps different counters to different words: so at most one of the four words is 0.
  return Array.from({ length: count }, () => new Random([word(), word(), word(), word()]));
}

/** Reads a seed: a whole number from 0 to 4294967295. @throws {ValueError} for any other text */
export function parseSeed(text: string): number {
  return parseInteger(text, 0, 0xffff_ffff, 'A seed is a whole number from 0 to 4294967295.');
}
