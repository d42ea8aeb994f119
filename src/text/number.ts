import { ValueError } from '../net/errors.js';
import { completing } from './value.js';

/**
 * Reads a whole number from `least` to `most`, written in decimal digits.
 *
 * @throws {ValueError} with the message `accepted`
 */
export function parseInteger(text: string, least: number, most: number, accepted: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isInteger(value) || value < least || value > most) throw new ValueError(accepted);
  return value;
}

/** Reads a whole number from 1. @throws {ValueError} */
export function parseCount(text: string): number {
  return parseInteger(text, 1, Number.MAX_SAFE_INTEGER, 'A count is a whole number from 1.');
}

const FACTOR_OF_UNIT: Readonly<Record<string, number>> = { '': 1, k: 1000, M: 1_000_000 };

/**
 * Reads a rate above 0: `1000/s`, `50k/s`, `2M/s`, a number, or `max`. Returns events a second; Infinity for `max`.
 *
 * @throws {ValueError}
 */
export const parseRate = completing(['max'], (text): number => {
  if (text === 'max') return Infinity;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(?:(k|M)?\/s)?$/.exec(text) ?? [];
  const perSecond = number === undefined ? 0 : Number(number) * (FACTOR_OF_UNIT[unit] ?? NaN);
  if (!(perSecond > 0 && perSecond < Infinity))
    throw new ValueError('A rate is 1000/s, 50k/s, a number a second, or max.');
  return perSecond;
});

/** Reads a percentage from `0%` to `100%`, for example `0.1%`. Returns a fraction from 0 to 1. @throws {ValueError} */
export function parsePercentage(text: string): number {
  const fraction = readPercentage(text);
  if (fraction === undefined) throw new ValueError('A percentage is 0% to 100%, for example 5% or 0.1%.');
  return fraction;
}

/** Reads a percentage like {@link parsePercentage}, but returns undefined for other text. */
export function readPercentage(text: string): number | undefined {
  const [, number] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? [];
  const fraction = Number(number) / 100;
  return fraction <= 1 ? fraction : undefined;
}

/**
 * Reads the speed of a replay: a factor above 0, for example `2`, `0.5` or `2x`, or `max`. Returns the factor; Infinity
 * for `max`.
 *
 * @throws {ValueError}
 */
export const parseSpeed = completing(['max'], (text): number => {
  if (text === 'max') return Infinity;
  const factor = /^\d+(\.\d+)?x?$/.test(text) ? Number.parseFloat(text) : 0;
  if (!(factor > 0 && factor < Infinity))
    throw new ValueError('A speed is a factor above 0, for example 2 or 0.5, or max.');
  return factor;
});
