import { ValueError } from '../net/errors.js';
import { completing } from './value.js';

export function parseInteger(text: string, least: number, most: number, accepted: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isInteger(value) || value < least || value > most) throw new ValueError(accepted);
  return value;
}

/** Reads a whole number from 1. */
export function parseCount(text: string): number {
  return parseInteger(text, 1, Number.MAX_SAFE_INTEGER, 'A count is a whole number from 1.');
}

const FACTOR_OF_UNIT: Readonly<Record<string, number>> = { '': 1, k: 1000, M: 1_000_000 };

/** Reads `1000/s`, `50k/s`, a bare number or `max` as events a second; `max` is Infinity. */
export const parseRate = completing(['max'], (text): number => {
  if (text === 'max') return Infinity;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(?:(k|M)?\/s)?$/.exec(text) ?? [];
  const perSecond = number === undefined ? 0 : Number(number) * (FACTOR_OF_UNIT[unit] ?? NaN);
  if (!(perSecond > 0 && perSecond < Infinity))
    throw new ValueError('A rate is 1000/s, 50k/s, a number a second, or max.');
  return perSecond;
});

/** Reads `5%` or `0.1%`, from 0% to 100%, as a fraction of 1. */
export function parsePercentage(text: string): number {
  const fraction = readPercentage(text);
  if (fraction === undefined) throw new ValueError('A percentage from 0% to 100% is 5% or 0.1%.');
  return fraction;
}

export function readPercentage(text: string): number | undefined {
  const [, number] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? [];
  const fraction = Number(number) / 100;
  return fraction <= 1 ? fraction : undefined;
}

/** Reads how fast a recording is replayed: a factor above 0, such as 2 or 0.5, or `max`, which is Infinity. */
export const parseSpeed = completing(['max'], (text): number => {
  if (text === 'max') return Infinity;
  const factor = /^\d+(\.\d+)?x?$/.test(text) ? Number.parseFloat(text) : 0;
  if (!(factor > 0 && factor < Infinity)) throw new ValueError('A speed is a factor such as 2 or 0.5, or max.');
  return factor;
});
