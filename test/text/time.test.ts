import { expect, test } from '@jest/globals';
import { formatDuration, formatTime, formatLongDuration } from '../../src/text/time.js';
import { fc, holds } from '../support/property.js';

const YEAR_2250_MS = Date.UTC(2250);

test('a time is RFC 3339 in UTC with microseconds', () => {
  expect(formatTime(Date.UTC(2026, 10, 22, 8, 0, 0, 123) + 0.456)).toBe('2026-11-22T08:00:00.123456Z');
  expect(formatTime(0)).toBe('1970-01-01T00:00:00.000000Z');
  expect(formatTime(999.9996)).toBe('1970-01-01T00:00:01.000000Z');
});

test('a time of whole milliseconds is what Date says, with three zeros', () => {
  holds(
    fc.property(fc.nat(YEAR_2250_MS), (timeMs) => {
      expect(formatTime(timeMs)).toBe(new Date(timeMs).toISOString().replace('Z', '000Z'));
    }),
  );
});

test('a time of whole microseconds is written exactly, and read by Date as the millisecond it lies in', () => {
  holds(
    fc.property(fc.nat(Date.UTC(2100)), fc.nat(999), (wholeMs, micros) => {
      const text = formatTime(wholeMs + micros / 1000);
      expect(text.slice(-4, -1)).toBe(String(micros).padStart(3, '0'));
      expect(Date.parse(text)).toBe(wholeMs);
    }),
  );
});

test('times in order are text in order', () => {
  holds(
    fc.property(
      fc.double({ min: 0, max: 4e12, noNaN: true }),
      fc.double({ min: 0, max: 3000, noNaN: true }),
      (at, by) => {
        expect(formatTime(at) <= formatTime(at + by)).toBe(true);
      },
    ),
  );
});

test.each([
  [250, '250ms'],
  [0.5, '0.5ms'],
  [1000, '1s'],
  [1500, '1.5s'],
  [3_600_000, '3600s'],
])('a duration of %d ms is written %s', (ms, text) => {
  expect(formatDuration(ms)).toBe(text);
});

test.each([
  [0, '0s'],
  [1, '1s'],
  [60_000, '1m'],
  [61_500, '1m 2s'],
  [3_599_001, '1h'],
  [7_383_000, '2h 3m'],
  [7_205_000, '2h'],
  [200 * 86_400_000 + 3_600_000, '200d 1h'],
])('%d ms is the long duration %s', (ms, text) => {
  expect(formatLongDuration(ms)).toBe(text);
});
