/** What users of other tools type gets an error with the words of udpcat. */
import { describe, expect, test } from '@jest/globals';
import type { Command } from 'commander';
import { FOREIGN_COMMANDS, FOREIGN_OPTIONS } from '../../src/commands/habits.js';
import { COMMAND_NAMES } from '../../src/commands/names.js';
import { declareProgram } from '../../src/commands/program.js';
import { openIo, runInProcess } from '../support/in-process.js';

describe('an error names the remedy:', () => {
  test.each([
    ['-u 127.0.0.1 9', "unknown option '-u': udpcat speaks only UDP; leave it out; begin with a command: udpcat send"],
    ['-l 8000', "unknown option '-l': the command serve listens: udpcat serve 8000"],
    ['-l -u -p 9000', 'udpcat serve 9000'],
    ['-lu 9000', '-l: the command serve listens: udpcat serve 9000; -u: udpcat speaks only UDP'],
    ['-vlu 9000', '-l: the command serve listens: udpcat serve 9000; -u: udpcat speaks only UDP'],
    ['-p8000', 'the port is an argument: udpcat serve 8000'],
    ['--json', 'write -o json; begin with a command'],
    ['-o json serve', "unknown option '-o': it follows the command: udpcat serve -o"],
    ['listen 8000', "unknown command 'listen': write udpcat serve 8000"],
    ['127.0.0.1 9', 'a command comes first: udpcat send 127.0.0.1:9 hello, or udpcat serve 127.0.0.1:9'],
    ['127.0.0.1:9 hello', 'udpcat send 127.0.0.1:9 hello'],
    ['::1 9', 'udpcat send [::1]:9 hello'],
    ['8000', 'udpcat serve 8000'],
    ['serve -l 8000', 'udpcat serve 8000'],
    ['serve -p 8000', "unknown option '-p': the port is an argument: udpcat serve 8000"],
    ['serve -n 2 8000', 'to stop after 2 datagrams, write -c 2'],
    ['serve --timeout=5 8000', '--idle 5; to stop in any case, --duration 5'],
    ['serve -w 5', '--idle 5'],
    ['echo --timeout 5', '--duration 5'],
    ['serve --json', "unknown option '--json': write -o json"],
    ['serve -e /bin/cat', 'In udpcat a program runs by --exec'],
    ['serve -c cat', 'In udpcat a program runs by --exec'],
    ['serve -o out.txt', '--record FILE.pcap'],
    ['echo --reply x', "unknown option '--reply': it is an option of serve"],
    ['send -u 127.0.0.1:9 x', "unknown option '-u': udpcat speaks only UDP; leave it out"],
    ['send -p 53 127.0.0.1:9 x', 'the local port is -b 53'],
    ['send --timeout 3 127.0.0.1:9 x', 'write -w 3; to limit the whole run, --deadline 3'],
    ['send -q1 127.0.0.1:9 x', 'write -w 1'],
    ['send -z 127.0.0.1 9', 'udpcat send 127.0.0.1:8000 hello -w 1s'],
    [
      'send 127.0.0.1:9 -5',
      "unknown option '-5': a message that begins with - stands behind --: udpcat send ADDRESS -- -5",
    ],
    ['send 127.0.0.1:9 --[x]', 'udpcat send ADDRESS -- --[x]'],
    ['help listen', 'write udpcat serve 8000'],
    ['help nosuch', "unknown command 'nosuch': the commands are serve, send"],
    ['completion', 'write udpcat completion and one of bash, zsh, fish'],
    ['completion tcsh', 'write udpcat completion and one of bash, zsh, fish'],
  ])('udpcat %s', async (line, remedy) => {
    const { stdout, stderr, ending } = await runInProcess(line.split(' '));
    expect({ stdout, ending }).toEqual({ stdout: '', ending: 2 });
    expect(stderr).toContain(remedy);
    expect(stderr).toMatch(/^udpcat: [^\n]*\n$/);
  });
});

test.each([['-nosuch'], ['serve', '-lz9q'], ['serve', '--nosuch'], ['sevre']])(
  'a word that no tool has gets no remedy of another tool: udpcat %s %s',
  async (...args) => {
    const { stderr, ending } = await runInProcess(args.filter((word) => typeof word === 'string'));
    expect(ending).toBe(2);
    expect(stderr).toMatch(/^udpcat: unknown (option|command) '[^']*'( \(Did you mean serve\?\))?\n$/);
  },
);

describe('the tables of foreign words', () => {
  const namesOf = ({ options }: Command): readonly string[] =>
    options.flatMap(({ short, long }) => [short, long].filter((name) => name !== undefined));
  const mentioned = (remedy: string): readonly string[] => remedy.match(/(?<![\w-])--?[a-zA-Z][\w-]*/g) ?? [];

  test('have no word that udpcat knows', async () => {
    const { commands } = await declareProgram(openIo().io);
    for (const { words, serving, sending } of FOREIGN_OPTIONS) {
      for (const command of commands) {
        const remedy = command.name() === 'send' ? sending : serving;
        if (remedy === undefined || !['serve', 'send', 'echo'].includes(command.name())) continue;
        expect({ command: command.name(), known: words.filter((word) => namesOf(command).includes(word)) }).toEqual({
          command: command.name(),
          known: [],
        });
      }
    }
    for (const words of Object.values(FOREIGN_COMMANDS)) {
      expect(COMMAND_NAMES.filter((name) => words.includes(name))).toEqual([]);
    }
  });

  test('name only options that udpcat has', async () => {
    const { commands } = await declareProgram(openIo().io);
    const of = (name: string): readonly string[] => commands.filter((one) => one.name() === name).flatMap(namesOf);
    for (const { serving = '', sending = '' } of FOREIGN_OPTIONS) {
      const elsewhere = [...of('serve'), ...of('send')];
      const known = (remedy: string, own: readonly string[]): readonly string[] =>
        remedy.includes('udpcat serve') ? elsewhere : own;
      expect(known(serving, of('serve'))).toEqual(expect.arrayContaining([...mentioned(serving)]));
      expect(known(sending, of('send'))).toEqual(expect.arrayContaining([...mentioned(sending)]));
    }
    for (const line of Object.keys(FOREIGN_COMMANDS)) {
      const [, command = ''] = line.split(' ');
      expect(['--version', ...of(command)]).toEqual(expect.arrayContaining([...mentioned(line)]));
    }
  });
});
