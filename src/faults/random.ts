import { parseInteger } from '../text/number.js';

/** The state of {@link Random}: four words of 32 bits, not all 0. */
export type RandomState = readonly [number, number, number, number];

const TWO_TO_32 = 0x1_0000_0000;

/**
 * xoshiro128** 1.1 (Blackman and Vigna, Scrambled Linear Pseudorandom Number Generators, 2018). Integers of 32 bits alone,
 * so that the same state gives the same row on every platform. Good for simulation, useless for secrets.
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

  /** A whole number from 0 to 2^32 - 1. */
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

  /** From 0 to below 1, in steps of 2^-32. */
  fraction(): number {
    return this.next() / TWO_TO_32;
  }
}

function rotate(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}

/**
 * So many rows of random numbers that have nothing to do with each other. Their states are, four words each, the row of
 * splitmix32: a counter that starts at the seed and grows by 0x9e3779b9, mixed by the finaliser of MurmurHash3.
 *
 * @param seed 0 to 2^32 - 1
 */
export function randomStreams(seed: number, count: number): readonly Random[] {
  let counter = seed;
  const word = (): number => {
    counter = (counter + 0x9e3779b9) | 0;
    let mixed = counter;
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  };
  // The mixing maps no two counters to one word, so that of four in a row at most one is 0.
  return Array.from({ length: count }, () => new Random([word(), word(), word(), word()]));
}

/** Reads a seed, 0 to 4294967295. */
export function parseSeed(text: string): number {
  return parseInteger(text, 0, 0xffff_ffff, 'A seed is a whole number from 0 to 4294967295.');
}
