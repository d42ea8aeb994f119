import { expect, test } from '@jest/globals';
import { fold } from '../../src/text/fold.js';
import { fc, holds } from '../support/property.js';

test('a line that fits stays whole', () => {
  expect(fold('3 received, 2 sent', 18)).toEqual(['3 received, 2 sent']);
});

test('a longer line is broken after commas and semicolons, and the rest is indented', () => {
  expect(fold('one, two, three; four, five', 10)).toEqual(['one, two,', '  three;', '  four,', '  five']);
});

test('a comma inside a number is no place to break', () => {
  expect(fold('1,204 received, 3 sent', 10)).toEqual(['1,204 received,', '  3 sent']);
});

test('the pieces joined again are the line', () => {
  const text = fc.array(fc.constantFrom('a', 'bcd', ' ', ',', ', ', ';', '1,204'), { maxLength: 40 });
  holds(
    fc.property(text, fc.integer({ min: 1, max: 30 }), (parts, width) => {
      const line = parts.join('').trim();
      const [first, ...rest] = fold(line, width);
      expect([first, ...rest.map((piece) => piece.slice(2))].join(' ')).toBe(line);
    }),
  );
});
