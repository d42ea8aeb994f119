import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { Command } from 'commander';
import type { Io } from '../../../src/run/context.js';
import { addOptions, flag, option, type OptionTable, repeatable, toggle } from '../../../src/cli/options.js';
import { sharedOptions } from '../../../src/commands/options/shared.js';
import { runCommandLine } from '../../../src/commands/program.js';
import { servingOptions } from '../../../src/commands/options/serving.js';
import { parseCount } from '../../../src/text/number.js';

/** Runs a command line that ends before it opens anything, at no terminal. */
async function run(...args: string[]): Promise<{ status: unknown; stdout: string; stderr: string }> {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const io: Io = {
    stdin,
    stdout,
    stderr,
    terminals: { stdin: false, stdout: false, stderr: false },
    env: {},
    pid: process.pid,
    evaluate: [process.execPath, '-e'],
    examiner: '',
    version: '0.0.0',
    stop: new AbortController().signal,
    force: new AbortController().signal,
    onReport: () => () => undefined,
    onReload: () => () => undefined,
    programs: { detached: true, killTree: () => undefined },
    isForeground: () => false,
    stdinBytes: () => 0,
    interrupt: () => undefined,
    argumentBytes: () => undefined,
    leaveBy: () => undefined,
  };
  const status = await runCommandLine(args, io);
  stdout.end();
  stderr.end();
  return { status, stdout: await text(stdout), stderr: await text(stderr) };
}

/** Reads arguments by a table of options; a usage error is thrown. */
function parse(table: OptionTable, ...args: string[]): Record<string, unknown> {
  const command = new Command('test').exitOverride().configureOutput({ writeErr: () => undefined });
  addOptions(command, table);
  return command.parse(args, { from: 'user' }).opts();
}

describe('a table of options', () => {
  const table = {
    count: option('-c, --count <n>', 'how many', parseCount, 7),
    file: repeatable('--file <path>', 'a file', (path) => path),
    quiet: flag('--quiet', 'be quiet'),
    stats: toggle('--stats', '--no-stats', 'a summary', 'none'),
  };

  test('gives parsed values, defaults, and undefined for what does not stand', () => {
    expect(parse(table)).toEqual({ count: 7 });
    expect(parse(table, '-c', '3', '--file', 'a', '--quiet', '--file', 'b', '--no-stats')).toEqual({
      count: 3,
      file: ['a', 'b'],
      quiet: true,
      stats: false,
    });
  });

  test('refuses a second time for what may stand only once, even with the same value', () => {
    expect(() => parse(table, '-c', '3', '--count', '3')).toThrow("option '-c, --count <n>' may stand only once");
    expect(parse(table, '--quiet', '--quiet')).toMatchObject({ quiet: true });
  });

  test('must call an option what commander calls it', () => {
    expect(() => parse({ number: option('-c, --count <n>', 'how many', parseCount) })).toThrow(
      'option -c, --count <n> is called number in its table',
    );
    expect(() => parse({ queue: option('--queue-size <n>', 'how many', parseCount) })).toThrow(/--queue-size/);
    expect(() => parse({ count: toggle('--count', '--no-counts', 'yes', 'no') })).toThrow(/--no-counts/);
  });

  test('names the option, what was given, and what is accepted, when a value is bad', () => {
    expect(() => parse(table, '--count', 'many')).toThrow(
      "option '-c, --count <n>' argument 'many' is invalid. A count is a whole number from 1.",
    );
  });
});

describe.each(['serve', 'send', 'echo'])('%s', (command) => {
  const repeated = [
    ['--count', '1'],
    ['-o', 'hex'],
    ['--queue-size', '5'],
    ['--duration', '1s'],
    ['--log-format', 'json'],
    ['-b', '127.0.0.1:0'],
  ];
  test.each(repeated)('takes %s given twice for a usage error', async (...option) => {
    const { status, stdout, stderr } = await run(command, ...option, ...option, '127.0.0.1:1');
    expect([status, stdout]).toEqual([2, '']);
    expect(stderr).toContain(option[0]);
    expect(stderr).toContain('may stand only once');
    expect(stderr.match(/\n/g)).toHaveLength(1);
  });

  test('shows every option that it has in its help', async () => {
    const { status, stdout, stderr } = await run(command, '--help');
    expect([status, stderr]).toEqual([0, '']);
    const shared = command === 'send' ? sharedOptions({ output: 'utf8', count: '' }) : servingOptions('utf8');
    const own = {
      serve: ['--reply', '--allow', '--deny', '-i, --interactive', '--no-interactive'],
      echo: ['--allow', '--deny', '--rate-limit', '--no-loop-guard', '--answer-service-ports'],
      send: [
        ...['--file', '--size', '--frame', '--interval', '-w, --wait', '-n, --replies', '--expect', '--expect-exact'],
        ...['--expect-regex', '--expect-size', '--retry', '--deadline', '--any-source'],
      ],
    }[command]!;
    const flags = Object.values(shared as OptionTable).flatMap((spec) =>
      spec.options.map((declared) => declared.flags),
    );
    expect(flags.length).toBeGreaterThan(20);
    for (const written of [...flags, ...own]) expect(stdout).toContain(`  ${written}`);
  });
});
