import { expect, test } from '@jest/globals';
import { createPalette } from '../../src/output/palette.js';
import { countPart, drawLiveLine, type LivePart, shareOf, timeLeftPart, troublePart } from '../../src/run/live-line.js';

const plain = await createPalette(false);
const colored = await createPalette(true);

const SEND: readonly LivePart[] = [
  countPart(2499, 4000, 'sent'),
  timeLeftPart(2900),
  { ...countPart(2498, undefined, 'received'), isMinor: true },
  troublePart(1, 'unanswered'),
  { text: 'median 0.105 ms' },
];

const SERVE: readonly LivePart[] = [
  countPart(1124, undefined, 'received'),
  { text: '(313/s, 65.3 kB/s)', joint: ' ', isMinor: true },
  { text: '3 peers', isMinor: true },
  troublePart(0, 'dropped'),
];

function drawn(parts: readonly LivePart[], done: number | undefined, columns: number, palette = plain): string {
  return drawLiveLine({ parts, done }, columns, palette)
    .map(({ text, paint }) => paint?.(text) ?? text)
    .join('');
}

test.each([
  [120, '█████████░░░░░░ 2,499 of 4,000 sent, 3 s left, 2,498 received, 1 unanswered, median 0.105 ms'],
  [80, '██████░░░░ 2,499 of 4,000 sent, 3 s left, 1 unanswered, median 0.105 ms'],
  [40, '███░░ 2,499 of 4,000 sent, 3 s left'],
  [28, '███░░ 2,499 of 4,000 sent'],
  [22, '2,499 of 4,000 sent'],
  [10, '2,499 of 4,000 sent'],
])('with %d columns a live line with an end is %s', (columns, line) => {
  expect(drawn(SEND, 2499 / 4000, columns)).toBe(line);
});

test.each([
  [80, '1,124 received (313/s, 65.3 kB/s), 3 peers, 0 dropped'],
  [40, '1,124 received, 3 peers, 0 dropped'],
  [30, '1,124 received, 0 dropped'],
])('with %d columns a live line without an end is %s', (columns, line) => {
  expect(drawn(SERVE, undefined, columns)).toBe(line);
});

test.each([20, 40, 60, 80, 120, 300])('with %d columns the echo of Ctrl-C fits behind the line', (columns) => {
  for (const done of [undefined, 0.5]) {
    // The first part is always shown: the status line cuts it on a terminal that is too narrow for it.
    for (const parts of [SEND, SERVE])
      expect(drawn(parts, done, columns).length).toBeLessThanOrEqual(Math.max(19, columns - 2));
  }
});

test.each([
  [-0.1, '░░░░░░░░░░'],
  [0, '░░░░░░░░░░'],
  [0.1, '█░░░░░░░░░'],
  [0.999, '█████████░'],
  [1, '██████████'],
  [1.1, '██████████'],
])('the bar of the share %d is %s', (done, bar) => {
  expect(drawn([{ text: 'x' }], done, 80)).toBe(`${bar} x`);
});

test('only colours of the text are used, and trouble is magenta', () => {
  expect(drawn(SEND, 0.5, 80, colored)).toBe(
    '\x1b[36m█████\x1b[39m\x1b[2m░░░░░\x1b[22m \x1b[36m2,499 of 4,000 sent\x1b[39m, \x1b[2m3 s left\x1b[22m, ' +
      '\x1b[35m1 unanswered\x1b[39m, median 0.105 ms',
  );
  expect(drawn([troublePart(0, 'dropped')], undefined, 80, colored)).toBe('0 dropped');
});

test('the share of a run is that of its nearest end', () => {
  expect(shareOf({})).toBeUndefined();
  expect(shareOf({ count: { now: 1, all: 4 } })).toBe(0.25);
  expect(shareOf({ time: { now: 500, all: 1000 } })).toBe(0.5);
  expect(shareOf({ count: { now: 1, all: 4 }, time: { now: 500, all: 1000 } })).toBe(0.5);
  expect(shareOf({ count: { now: 3, all: 4 }, time: { now: 500, all: 1000 } })).toBe(0.75);
});
