/** Runs tests that need another program. Where it is not installed they are skipped, and their name says why. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, test } from '@jest/globals';

/** The folders in which programs are searched. Services lie in folders that the PATH of a user may not have. */
export const PROGRAM_PATH = [process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter);

/** Whether a program is installed. */
export function hasProgram(name: string): boolean {
  return PROGRAM_PATH.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

/** Returns the name of a test that is skipped because a program is missing. */
export const without = (program: string, name: string): string => `${name} (skipped: ${program} is not installed)`;

/** Declares a test that needs a program. */
export function testWith(program: string, name: string, run: () => void | Promise<void>): void {
  if (hasProgram(program)) test(name, run);
  else test.skip(without(program, name), run);
}

/** Declares a block of tests that all need a program. */
export function describeWith(program: string, name: string, block: () => void): void {
  if (hasProgram(program)) describe(name, block);
  else describe.skip(without(program, name), block);
}
