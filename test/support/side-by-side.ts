/**
 * Declares tests that run at the same time, like `test.concurrent` of jest, and that may use `import()`. jest refuses
 * `import()` in `test.concurrent` as soon as one of the tests ends. So one hook runs all of them, and each test then tells
 * the result of its own.
 */
import { beforeAll, test } from '@jest/globals';
import { HANG_MS } from './limits.js';

/** How many tests run at the same time. They mostly wait. */
const MOST = 20;

type Row<Member> = Member extends readonly unknown[] ? [...Member] : [Member];

interface Entry {
  readonly run: () => Promise<void>;
  outcome: Promise<void> | undefined;
}

const entries: Entry[] = [];

beforeAll(async () => {
  const waiting = entries.values();
  // All of these loops take from the same iterator.
  const worker = async (): Promise<void> => {
    for (const entry of waiting) {
      entry.outcome = limited(entry.run);
      await entry.outcome.catch(() => undefined);
    }
  };
  await Promise.all(Array.from({ length: MOST }, worker));
  // A hook that exceeds its own limit would fail all tests, not only those that hang.
}, 10 * HANG_MS);

/** Runs a test. Rejects if it takes longer than {@link HANG_MS}. */
async function limited(run: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`the test did not end within ${HANG_MS} ms`));
    }, HANG_MS);
  });
  await Promise.race([run(), limit]).finally(() => {
    clearTimeout(timer);
  });
}

/** Returns a function that tells the outcome of the test. */
function enter(run: () => Promise<void>): () => Promise<void> {
  const entry: Entry = { run, outcome: undefined };
  entries.push(entry);
  return () => entry.outcome ?? Promise.reject(new Error('the test did not run'));
}

/**
 * Declares a test that mostly waits: it runs beside other such tests of its file, before all other tests. It also runs before
 * the hooks `beforeAll` and `beforeEach` of the file, so it must not need them.
 */
export function sideBySide(name: string, run: () => Promise<void>): void {
  test(name, enter(run));
}

/** Like `test.concurrent.each`. */
sideBySide.each =
  <const Member>(table: readonly Member[]) =>
  (name: string, run: (...row: Row<Member>) => Promise<void>): void => {
    const outcomes = table.map((member) =>
      enter(() => run(...((Array.isArray(member) ? member : [member]) as unknown as Row<Member>))),
    );
    // The name has the values of the row, which jest fills in.
    outcomes.forEach((outcome, index) => {
      (test.each as (rows: readonly unknown[]) => (name: string, run: () => Promise<void>) => void)([table[index]])(
        name,
        outcome,
      );
    });
  };
