import { describe, expect, test } from '@jest/globals';
import { BackOff } from '../../../src/net/engines/back-off.js';

describe('what fails for a reason that may pass', () => {
  test('is tried again at once a few times, then ever later, but at least ten times a second', () => {
    const backOff = new BackOff();
    const pauses = Array.from({ length: 12 }, () => backOff.failed());
    expect(pauses).toEqual([0, 0, 0, 1, 2, 4, 8, 16, 32, 64, 100, 100]);
  });

  test('is tried at once again when it has succeeded', () => {
    const backOff = new BackOff();
    for (let failures = 0; failures < 20; failures += 1) backOff.failed();
    backOff.succeeded();
    expect(backOff.failed()).toBe(0);
  });
});
