import { describe, expect, test } from '@jest/globals';
import { lossOf } from '../../src/check/loss.js';
import { percentOf } from '../../src/check/percent.js';
import { fc, holds } from '../support/property.js';

describe('the largest loss', () => {
  test('of whole percents is exact, in spite of floating-point numbers', () => {
    holds(
      fc.property(fc.integer({ min: 0, max: 100 }), fc.integer({ min: 1, max: 10_000 }), (percent, hundreds) => {
        const requests = hundreds * 100;
        const allowed = percent * hundreds;
        const wanted = requests - allowed;
        expect(lossOf({ requests, answered: 0 }, Number(`${percent}`) / 100)).toMatchObject({
          wanted,
          maxPercent: percent,
        });
      }),
    );
  });

  test('allows whole requests only', () => {
    expect(lossOf({ requests: 19, answered: 18 }, 0.05)).toMatchObject({ lost: 1, wanted: 19 });
    expect(lossOf({ requests: 20, answered: 19 }, 0.05)).toMatchObject({ lost: 1, wanted: 19 });
  });
});

describe('a share in percent', () => {
  test.each([
    [0, 5, 0],
    [5, 5, 100],
    [0, 0, 0],
    [1, 7, 14.29],
    [1, 3000, 0.033],
    [1, 10_000_000, 0.00001],
    [999_999, 1_000_000, 99.99],
  ])('of %d of %d is %d', (part, whole, percent) => {
    expect(percentOf(part, whole)).toBe(percent);
  });
});
