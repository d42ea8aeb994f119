/** The programs that the benchmarks start end with the benchmark, however it ends, and after a limit. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { HANG_MS } from './support/limits.js';
import { ROOT } from './support/pages.js';
import { testWith } from './support/peers.js';

const BENCH = join(ROOT, 'bench');

test('one module of the bench starts programs', () => {
  const modules = readdirSync(BENCH).filter((name) => name.endsWith('.mjs'));
  const starting = modules.filter((name) => readFileSync(join(BENCH, name), 'utf8').includes('node:child_process'));
  expect(starting).toEqual(['programs.mjs']);
});

describe('a program of the bench ends', () => {
  const PROGRAM = `console.log('started'); setTimeout(console.log, ${HANG_MS / 2}, 'survived')`;
  // Its stdout is that of the bench, which is open until both have ended.
  const START = `start([process.execPath, '-e', ${JSON.stringify(PROGRAM)}], { stdout: 1, ...options })`;

  /** Runs the code of a bench. Returns its output and that of its program, once both have ended. */
  async function outputOf(code: string, signal?: NodeJS.Signals): Promise<string> {
    const programs = pathToFileURL(join(BENCH, 'programs.mjs')).href;
    const module = `import { start } from ${JSON.stringify(programs)}; const options = {}; ${code}`;
    const bench = spawn(process.execPath, ['--input-type=module', '-e', module], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const output = text(bench.stdout);
    if (signal !== undefined) {
      await once(bench.stdout, 'readable');
      bench.kill(signal);
    }
    await once(bench, 'close');
    return await output;
  }

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    test(`with the bench that ${signal} ends`, async () => {
      expect(await outputOf(START, signal)).toBe('started\n');
    });
  }

  testWith('setpriv', 'with the bench that SIGKILL ends', async () => {
    expect(await outputOf(START, 'SIGKILL')).toBe('started\n');
  });

  test('with the bench that an error ends', async () => {
    expect(await outputOf(`${START}; setTimeout(() => { throw new Error('a mistake'); }, 100)`)).not.toContain(
      'survived',
    );
  });

  test('after its limit', async () => {
    const said = await outputOf(`options.limitMs = 100; await ${START}.ended; console.log('the bench goes on')`);
    expect(said).toMatch(/^(started\n)?the bench goes on\n$/);
  });
});
