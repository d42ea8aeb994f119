import { beforeAll, describe, expect, test } from '@jest/globals';
import { CliCommand } from '../../src/cli/command.js';
import { formatHelp } from '../../src/cli/help.js';
import { DeclaredOption } from '../../src/cli/options.js';
import { COMMAND_NAMES } from '../../src/commands/names.js';
import { declareProgram } from '../../src/commands/program.js';
import { openIo, runInProcess } from '../support/in-process.js';
import { testWith } from '../support/peers.js';
import { terminal } from '../support/udpcat.js';

async function helpOf(...args: string[]): Promise<string> {
  const { stdout, stderr, ending } = await runInProcess(args);
  expect({ args, stderr, ending }).toEqual({ args, stderr: '', ending: 0 });
  return stdout;
}

function widest(help: string): number {
  return Math.max(...help.split('\n').map((line) => line.length));
}

/** The flags that stand at the start of a line. */
function flagsIn(help: string): string[] {
  return [...help.matchAll(/^ {2}(-\S.*?)(?: {2,}|$)/gm)].map(([, flags = '']) => flags);
}

/** The help without its examples, as one line. */
function prose(help: string): string {
  return help.replace(/\nExamples:\n.*/s, '').replaceAll(/\s+/g, ' ');
}

let program: CliCommand;
let commands: CliCommand[];
beforeAll(async () => {
  program = await declareProgram(openIo().io);
  commands = program.commands.filter((command) => command instanceof CliCommand);
  expect(commands.map((command) => command.name())).toEqual(COMMAND_NAMES);
});

describe.each(COMMAND_NAMES)('udpcat %s', (name) => {
  test('-h fits on a screen of 40 lines and 80 columns', async () => {
    const help = await helpOf(name, '-h');
    expect(help.split('\n').length - 1).toBeLessThanOrEqual(40);
    expect(widest(help)).toBeLessThanOrEqual(80);
    expect(help).toMatch(/^Examples:\n {2}/m);
  });

  test('-h shows the options that are declared as common, and the number of all', async () => {
    const command = commands.find((one) => one.name() === name)!;
    const declared = command.createHelp().visibleOptions(command);
    const common = declared.filter((option) => option instanceof DeclaredOption && option.isCommon);
    const help = await helpOf(name, '-h');
    expect(flagsIn(help)).toEqual(common.map(({ flags }) => flags));
    if (declared.length > 1) expect(help).toContain(`(--help shows all ${declared.length}):\n`);
  });

  test('--help shows every option', async () => {
    const command = commands.find((one) => one.name() === name)!;
    const all = command.createHelp().visibleOptions(command);
    const help = await helpOf(name, '--help');
    // The help puts the options of one heading together.
    expect(flagsIn(help).toSorted()).toEqual(all.map(({ flags }) => flags).toSorted());
    expect(widest(help)).toBeLessThanOrEqual(80);
  });

  test('help shows the same as --help', async () => {
    expect(await helpOf('help', name)).toBe(await helpOf(name, '--help'));
  });

  test.each([20, 40, 60, 79, 80, 300])('the help is whole on a terminal of %d columns', (columns) => {
    const command = commands.find((one) => one.name() === name)!;
    for (const isShort of [true, false]) {
      const help = formatHelp(command, { isShort, columns });
      if (columns >= 40) expect(widest(help)).toBeLessThanOrEqual(Math.min(columns, 80));
      expect(prose(help)).toBe(prose(formatHelp(command, { isShort })));
      const examples = help.slice(help.indexOf('\nExamples:\n')).replaceAll(/ \\\n +/g, ' ');
      for (const { line } of command.examples) expect(`${examples}\n`).toMatch(lineOf(line));
    }
  });

  test('no example is broken at 80 columns', async () => {
    const command = commands.find((one) => one.name() === name)!;
    expect(command.examples.length).toBeGreaterThan(1);
    for (const { line } of command.examples) expect(await helpOf(name, '-h')).toMatch(lineOf(line));
  });
});

/** Matches a command line that stands in one line of the help. */
function lineOf(command: string): RegExp {
  return new RegExp(`^ {2}${command.replaceAll(/[$()*+.?[\\\]^{|}]/g, '\\$&')}(?: {2,}\\S.*)?$`, 'm');
}

describe('the help of the program', () => {
  test('is the same with -h, with --help and as a command', async () => {
    const help = await helpOf('--help');
    expect(await helpOf('-h')).toBe(help);
    expect(await helpOf('help')).toBe(help);
  });

  test('fits on a screen, and shows each command and each option once', async () => {
    const help = await helpOf('-h');
    expect(help.split('\n').length - 1).toBeLessThanOrEqual(40);
    expect(widest(help)).toBeLessThanOrEqual(80);
    expect(help.match(/^\w.*ptions:$/gm)).toEqual(['Options:']);
    expect(flagsIn(help)).toEqual(['-V, --version', '-h, --help']);
    for (const name of COMMAND_NAMES) expect(help.match(RegExp(`^  ${name} `, 'gm'))).toHaveLength(1);
    for (const { line } of program.examples) expect(help).toMatch(lineOf(line));
  });

  test.each([20, 40, 60, 300])('is whole on a terminal of %d columns', (columns) => {
    const help = formatHelp(program, { columns });
    if (columns >= 40) expect(widest(help)).toBeLessThanOrEqual(Math.min(columns, 80));
    expect(prose(help)).toBe(prose(formatHelp(program)));
  });
});

test.each([
  { args: ['help', 'nosuch'], says: /'nosuch'.*serve, send, echo, relay, watch, completion, help/ },
  { args: ['help', 'serve', 'send'], says: /too many arguments for 'help'/ },
  { args: ['--'], says: /a command is missing: serve, send/ },
])('udpcat $args is a usage error', async ({ args, says }) => {
  const { stdout, stderr, ending } = await runInProcess(args);
  expect({ stdout, ending }).toEqual({ stdout: '', ending: 2 });
  expect(stderr).toMatch(says);
  expect(stderr.match(/\n/g)).toHaveLength(1);
});

test('-h among the options and messages shows help, and after -- it is a message', async () => {
  const help = await helpOf('send', '-h');
  expect(await helpOf('send', '127.0.0.1:9', 'hello', '-vh')).toBe(help);
  const { stdout, ending } = await runInProcess(['send', '127.0.0.1:0', '--', '-h']);
  expect({ stdout, ending }).toEqual({ stdout: '', ending: 2 });
});

testWith('script', 'the help is as wide as the terminal', async () => {
  for (const columns of [40, 60]) {
    await using running = terminal(['send', '-h'], { columns });
    const { stdout, status } = await running.outcome;
    const send = commands.find((one) => one.name() === 'send')!;
    expect(status).toBe(0);
    expect(stdout.toString().replaceAll('\r\n', '\n')).toBe(formatHelp(send, { isShort: true, columns }));
  }
});
