import { expect, test } from '@jest/globals';
import { amplifies } from '../../src/guard/amplification.js';

test.each([
  [0, 0, false],
  [0, 1, true],
  [10, 30, false],
  [10, 31, true],
  [65_507, 65_507, false],
])('to a request of %i bytes, %i bytes of responses amplify: %p', (request, responses, expected) => {
  expect(amplifies(request, responses)).toBe(expected);
});
