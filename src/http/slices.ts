import type { Turns } from '../timing/turns.js';

/**
 * The time from one turn of HTTP to the next at least, in milliseconds. So a flood of requests, or a long reply, leaves most of
 * the time to the datagrams.
 */
export const REST_MS = 1;

/** The longest that one turn writes, in milliseconds. */
const SLICE_MS = 0.5;

/**
 * Joins texts to slices. Each slice is made in a turn of its own, and takes about half a millisecond. A text that is a promise
 * is begun in the turn of its slice.
 */
export async function* inSlices(texts: Iterable<string | Promise<string>>, turns: Turns): AsyncGenerator<string> {
  await turns.take();
  let slice = '';
  let endMs = performance.now() + SLICE_MS;
  for (const text of texts) {
    slice += typeof text === 'string' ? text : await text;
    if (performance.now() < endMs) continue;
    yield slice;
    slice = '';
    await turns.take();
    endMs = performance.now() + SLICE_MS;
  }
  yield slice;
}
