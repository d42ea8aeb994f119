import { describe, expect, test } from '@jest/globals';
import { MissingNumbers } from '../../src/stats/missing-numbers.js';
import { fc, holds } from '../support/property.js';

/** Steps of a series: a gap of some numbers, one number that came, and the removal of any number. */
const steps = fc.array(
  fc.oneof(fc.record({ gap: fc.integer({ min: 0, max: 5 }) }), fc.record({ removed: fc.nat({ max: 120 }) })),
  { maxLength: 60 },
);

describe('missing numbers', () => {
  test.each([0, 2 ** 32 - 30, 2 ** 47])('from %i on are the numbers that were added and not removed', (start) => {
    holds(
      fc.property(steps, (all) => {
        const missing = new MissingNumbers(100);
        const expected = new Set<number>();
        let next = start;
        for (const step of all) {
          if ('gap' in step) {
            missing.add(next, next + step.gap);
            for (let number = next; number < next + step.gap; number += 1) expected.add(number);
            next += step.gap + 1;
          } else {
            const number = start + step.removed;
            expect(missing.remove(number)).toBe(expected.delete(number));
          }
          expect(missing.count).toBe(expected.size);
        }
      }),
    );
  });

  test('of gaps beyond the limit are counted, and of these gaps a number is taken for a missing one while there are any', () => {
    const missing = new MissingNumbers(2);
    missing.add(0, 2);
    missing.add(3, 4);
    missing.add(5, 6);
    expect(missing.count).toBe(4);
    expect([1, 0, 1, 0].map((number) => missing.remove(number))).toEqual([true, true, false, false]);
    expect([2, 3, 3, 4, 5].map((number) => missing.remove(number))).toEqual([false, true, false, false, true]);
    expect(missing.count).toBe(0);
  });

  test('stay countable if a removed number cuts a gap in two, and the limit is reached by that', () => {
    const missing = new MissingNumbers(1);
    missing.add(0, 1_000_000);
    expect(missing.remove(500_000)).toBe(true);
    expect(missing.count).toBe(999_999);
    expect(missing.remove(500_001)).toBe(true);
    expect(missing.count).toBe(999_998);
  });
});
