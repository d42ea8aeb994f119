/** Runs tests that need a part of the system. Where it is missing they are skipped, and their name says why. */
import { existsSync } from 'node:fs';
import { describe, test } from '@jest/globals';
import { hasProgram } from './peers.js';
import { sideBySide } from './side-by-side.js';

/** The parts of a system that tests need, and what the name of a skipped test says. */
const PARTS = {
  proc: { isThere: existsSync('/proc/self/status'), says: 'this system has no /proc' },
  shell: { isThere: hasProgram('sh'), says: 'this system has no sh' },
} as const;

/** Returns `test` of jest if the system has this part. Otherwise it returns one that skips and says why. */
export function testNeeding(part: keyof typeof PARTS): typeof test {
  const { isThere, says } = PARTS[part];
  return isThere ? test : skipping(test, says);
}

/** Returns `sideBySide` if the system has this part. Otherwise it returns a function that skips and says why. */
export function sideBySideNeeding(part: keyof typeof PARTS): typeof sideBySide {
  const { isThere, says } = PARTS[part];
  return isThere ? sideBySide : skipping(test, says);
}

/** Returns `describe` of jest if the system has this part. Otherwise it returns one that skips and says why. */
export function describeNeeding(part: keyof typeof PARTS): typeof describe {
  const { isThere, says } = PARTS[part];
  return isThere ? describe : skipping(describe, says);
}

type Declare = (name: string, ...rest: unknown[]) => unknown;

/** Replaces a function that declares, also its members `each` and `concurrent`, by one that skips. */
function skipping<Jest extends typeof test | typeof describe>(declare: Jest, says: string): Jest {
  const renaming =
    (skip: Declare): Declare =>
    (name, ...rest) =>
      skip(`${name} (skipped: ${says})`, ...rest);
  const each = (...table: unknown[]): Declare =>
    renaming((declare.skip.each as (...rows: unknown[]) => Declare)(...table));
  const replaced = Object.assign(renaming(declare.skip as Declare), { each });
  return Object.assign(replaced, { concurrent: replaced }) as unknown as Jest;
}
