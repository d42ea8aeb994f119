import { describe, expect, test } from '@jest/globals';
import { passes, statusOfFailed, VERDICTS } from '../../src/watch/verdict.js';

describe('a check', () => {
  test('passes when it is ok or slow, and by no other verdict', () => {
    expect(VERDICTS.filter(passes)).toEqual(['ok', 'slow']);
  });
});

describe('the exit status of failed targets', () => {
  test.each([
    { last: ['refused', 'silent', 'mismatch', 'stray'], status: 5 },
    { last: ['stray', 'silent', 'refused'], status: 4 },
    { last: ['silent', 'stray', 'error'], status: 6 },
    { last: ['error', 'silent'], status: 3 },
    { last: ['late'], status: 3 },
    { last: ['error', 'error'], status: 1 },
    { last: ['error', undefined], status: 3 },
    { last: ['ok'], status: 3 },
  ] as const)('$last is $status', ({ last, status }) => {
    expect(statusOfFailed(last)).toBe(status);
  });
});
