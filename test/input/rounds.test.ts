import { expect, test } from '@jest/globals';
import { ListedRounds } from '../../src/input/rounds.js';
import { fc, holds, payloads } from '../support/property.js';

test('rounds go over their messages again and again, from wherever they are taken', () => {
  const lists = fc.array(payloads, { minLength: 1, maxLength: 5 });
  holds(
    fc.property(lists, fc.nat(1000), fc.integer({ min: 1, max: 12 }), (messages, first, count) => {
      const taken = new ListedRounds(messages).take(first, count);
      expect(taken).toEqual(Array.from({ length: count }, (_, index) => messages[(first + index) % messages.length]));
    }),
  );
});
