/** Tests that need a program which the system may not have are skipped there, and their name says why. */
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { describe, test } from '@jest/globals';

/** Where programs are looked for: services stand where an ordinary user's PATH does not lead. */
export const PROGRAM_PATH = [process.env.PATH ?? '', '/usr/sbin', '/sbin'].join(delimiter);

/** Whether the program is installed. */
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

/** The name of a test that is skipped because a program is missing. */
export const without = (program: string, name: string): string => `${name} (skipped: ${program} is not installed)`;

/** `test`, for one that needs `program`. */
export function testWith(program: string, name: string, run: () => void | Promise<void>): void {
  if (hasProgram(program)) test(name, run);
  else test.skip(without(program, name), run);
}

/** `describe`, for tests that all need `program`. */
export function describeWith(program: string, name: string, block: () => void): void {
  if (hasProgram(program)) describe(name, block);
  else describe.skip(without(program, name), block);
}
