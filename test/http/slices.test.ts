import { expect, test } from '@jest/globals';
import { inSlices } from '../../src/http/slices.js';
import { Turns } from '../../src/timing/turns.js';

/** Texts that take about as long as a slice may, each. */
function* slowly(count: number): Generator<string> {
  for (let index = 0; index < count; index += 1) {
    const endMs = performance.now() + 1;
    while (performance.now() < endMs);
    yield `${index} `;
  }
}

async function join(parts: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const part of parts) all.push(part);
  return all;
}

test('slices join to the whole text', async () => {
  const all = await join(inSlices(slowly(20), new Turns()));
  expect(all.join('')).toBe(Array.from({ length: 20 }, (_, index) => `${index} `).join(''));
  expect(all.length).toBeGreaterThan(10);
  expect((await join(inSlices([], new Turns()))).join('')).toBe('');
});

test('however many texts are written, the event loop turns between any two slices', async () => {
  const turns = new Turns();
  let turn = 0;
  const turnsOfSlices: number[] = [];
  let isOver = false;
  const count = (): void => {
    turn += 1;
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(
    Array.from({ length: 30 }, async () => {
      for await (const slice of inSlices(slowly(5), turns)) if (slice !== '') turnsOfSlices.push(turn);
    }),
  );
  isOver = true;
  expect(turnsOfSlices.length).toBeGreaterThanOrEqual(30 * 3);
  const most = Math.max(...turnsOfSlices.map((each) => turnsOfSlices.filter((other) => other === each).length));
  expect(most).toBe(1);
});
