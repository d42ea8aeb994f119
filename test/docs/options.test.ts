/** The guide describes every option: the pages below have it in a row of a table, or in a sentence. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { declareProgram } from '../../src/commands/program.js';
import { openIo } from '../support/in-process.js';
import { ROOT } from '../support/pages.js';

/** Text of all pages without blocks, where an option is used and not described. */
const pages = readdirSync(join(ROOT, 'docs'))
  .filter((name) => name.endsWith('.md'))
  .map((name) => ({ name, text: readFileSync(join(ROOT, 'docs', name), 'utf8').replaceAll(/^```.*?^```/gms, '') }));

/** Flags of commander, and of other programs that the guide shows. */
const OTHERS: ReadonlySet<string | undefined> = new Set(['--help', '--version', '--ignore-scripts']);

/**
 * Returns the pages that name a flag in backquotes, with or without a value. A fault of one direction of `relay`, for example
 * `--up-delay`, is described by the fault itself, `--delay`.
 */
function pagesOf(given: string): string[] {
  const flag = given.replace(/^--(up|down)-/, '--');
  const named = new RegExp(`\`[^\`\n]*${flag}(?![\\w-])[^\`\n]*\``);
  return pages.filter(({ text }) => named.test(text)).map(({ name }) => name);
}

test('every option of every command is on a page of the guide', async () => {
  const program = await declareProgram(openIo().io);
  const options = new Map(
    program.commands.flatMap((command) => command.options.map((option) => [option.flags, option])),
  );
  expect(options.size).toBeGreaterThan(100);
  const missing = [...options.values()].filter(({ short, long }) =>
    [short, long].every((flag) => flag === undefined || OTHERS.has(flag) || pagesOf(flag).length === 0),
  );
  expect(missing.map(({ flags }) => flags)).toEqual([]);
});

test('every option that the guide names exists', async () => {
  const program = await declareProgram(openIo().io);
  const flags = new Set(program.commands.flatMap(({ options }) => options.map(({ long }) => long)));
  const named = pages.flatMap(({ name, text }) =>
    [...text.matchAll(/`(?:udpcat )?(?:(?:serve|send|echo|watch) )?(--[a-z][a-z-]*)[^`\n]*`/g)].map(([, flag]) => ({
      name,
      flag,
    })),
  );
  expect(named.length).toBeGreaterThan(200);
  expect(named.filter(({ flag }) => !flags.has(flag) && !OTHERS.has(flag))).toEqual([]);
});
