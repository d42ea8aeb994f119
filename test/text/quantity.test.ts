import { describe, expect, test } from '@jest/globals';
import { formatBits, formatBytes, formatCount, formatRate } from '../../src/text/quantity.js';
import { fc, holds } from '../support/property.js';

describe('a count', () => {
  test('has its digits in groups of three, and is the same number', () => {
    expect([0, 7, 999, 1000, 1204, 999_999, 1_000_000, 12_345_678].map(formatCount)).toEqual([
      '0',
      '7',
      '999',
      '1,000',
      '1,204',
      '999,999',
      '1,000,000',
      '12,345,678',
    ]);
    holds(
      fc.property(fc.maxSafeNat(), (count) => {
        expect(formatCount(count)).toMatch(/^\d{1,3}(,\d{3})*$/);
        expect(Number(formatCount(count).replaceAll(',', ''))).toBe(count);
      }),
    );
  });
});

describe('an amount of bytes', () => {
  test.each([
    [0, '0 B'],
    [999.4, '999 B'],
    [999.6, '1.0 kB'],
    [40_204, '40.2 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [1_500_000_000, '1.5 GB'],
    [12_345e12, '12345.0 TB'],
  ])('%d is %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text);
    expect(formatBits(bytes)).toBe(text.replace('B', 'bit'));
  });
});

describe('a rate', () => {
  test.each([
    [0, '0/s'],
    [0.42, '0.4/s'],
    [9.94, '9.9/s'],
    [9.96, '10/s'],
    [312.4, '312/s'],
    [1_203_999.6, '1,204,000/s'],
  ])('of %d is %s', (perSecond, text) => {
    expect(formatRate(perSecond)).toBe(text);
  });
});
