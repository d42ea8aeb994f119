import { describe, expect, test } from '@jest/globals';
import { Health } from '../../src/watch/health.js';

/** Takes checks, one a second, written `+` for one that passes and `-` for one that fails. Returns the changes. */
function changes(health: Health, checks: string): string[] {
  return Array.from(checks).flatMap((check, index) => {
    const change = health.take(check === '+', (index + 1) * 1000);
    return change === undefined
      ? []
      : [`${index + 1}: ${change.from} to ${change.to} after ${change.lastedMs}, ${change.streak}`];
  });
}

describe('the state of a target', () => {
  test.each([
    { checks: '++', expected: ['2: unknown to up after 2000, 2'] },
    { checks: '+-+-+-', expected: [] },
    { checks: '---', expected: ['3: unknown to down after 3000, 3'] },
    { checks: '++--+--', expected: ['2: unknown to up after 2000, 2'] },
    {
      checks: '++---+++-',
      expected: ['2: unknown to up after 2000, 2', '5: up to down after 3000, 3', '7: down to up after 2000, 2'],
    },
    { checks: '----', expected: ['3: unknown to down after 3000, 3'] },
  ])('with rise 2 and fall 3, $checks gives $expected', ({ checks, expected }) => {
    expect(changes(new Health({ rise: 2, fall: 3 }, 0), checks)).toEqual(expected);
  });

  test.each([
    { checks: '', undecided: true },
    { checks: '+', undecided: true },
    { checks: '++', undecided: false },
    { checks: '++-', undecided: true },
    { checks: '++-+', undecided: false },
    { checks: '++---', undecided: false },
    { checks: '++---+', undecided: false },
  ])('after "$checks" it is undecided: $undecided', ({ checks, undecided }) => {
    const health = new Health({ rise: 2, fall: 3 }, 0);
    changes(health, checks);
    expect(health.isUndecided).toBe(undecided);
  });

  test.each([
    { checks: '', passed: false },
    { checks: '-', passed: false },
    { checks: '+--', passed: true },
    { checks: '+---', passed: false },
    { checks: '---+', passed: true },
  ])('after "$checks" one of the last three passed: $passed', ({ checks, passed }) => {
    const health = new Health({ rise: 2, fall: 3 }, 0);
    changes(health, checks);
    expect(health.passedLately).toBe(passed);
  });

  test('goes on under other limits', () => {
    const health = new Health({ rise: 2, fall: 3 }, 0);
    changes(health, '++--');
    health.limits = { rise: 2, fall: 2 };
    expect(health.take(false, 5000)).toEqual({ from: 'up', to: 'down', lastedMs: 3000, streak: 3 });
  });
});
