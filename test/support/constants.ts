/** Limits that are private to a file of `src`, so that tests can hold the pages of the guide to them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './pages.js';

/**
 * The value of a numeric constant, as it is written: `const NAME = 64 * 1024;`.
 *
 * @param path from `src`, such as `guard/return-guard.ts`
 * @throws Error if the file has no such constant
 */
export function constantOf(path: string, name: string): number {
  const text = readFileSync(join(ROOT, 'src', path), 'utf8');
  const [, written] = new RegExp(`^(?:export )?const ${name} = ([\\d_ *]+);$`, 'm').exec(text) ?? [];
  if (written === undefined) throw new Error(`src/${path} has no constant ${name} with a number`);
  return written
    .replaceAll('_', '')
    .split(/ \* (?!\*)/)
    .map((factor) => factor.split('**').map(Number))
    .reduce((product, [base = NaN, exponent = 1]) => product * base ** exponent, 1);
}

/** A number as pages write it: `65,536`. */
export function written(value: number): string {
  return value.toLocaleString('en-US');
}
