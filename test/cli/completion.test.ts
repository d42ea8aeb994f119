import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { describeWith } from '../support/peers.js';
import { udpcat } from '../support/in-process.js';
import { quote, terminal } from '../support/udpcat.js';

const COMMANDS = ['serve', 'send', 'echo', 'relay', 'watch', 'completion', 'help'];

let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-completion-'));
  mkdirSync(join(folder, 'here'));
  writeFileSync(join(folder, 'here', 'two words.bin'), '');
  for (const shell of ['bash', 'zsh', 'fish']) {
    const { stdout, stderr, status } = await udpcat(['completion', shell]);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    writeFileSync(join(folder, shell), stdout);
  }
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const known = new Map<string, Promise<string[]>>();

/** The names of the options that the help of a command shows. */
function optionsInHelp(command: string): Promise<string[]> {
  const options = known.get(command) ?? readHelp(command);
  known.set(command, options);
  return options;
}

async function readHelp(command: string): Promise<string[]> {
  const { stdout } = await udpcat([...(command === '' ? [] : [command]), '--help']);
  const names = [...stdout.toString().matchAll(/^ {2}(?:(-\w), )?(--[\w-]+)/gm)].flatMap(([, short, long]) => [
    ...(short === undefined ? [] : [short]),
    long!,
  ]);
  expect(names).toContain('--help');
  return names;
}

/** Runs a program in the folder with one file; resolves to the lines that it wrote. */
async function lines(program: string, args: readonly string[]): Promise<string[]> {
  const options = { cwd: join(folder, 'here'), env: { PATH: process.env.PATH, HOME: folder, LC_ALL: 'C.UTF-8' } };
  const { stdout, stderr } = await promisify(execFile)(program, args, options);
  expect(stderr).toBe('');
  return stdout.split('\n').filter((line) => line !== '');
}

/** What a shell offers for the last of the words. */
type Complete = (...words: string[]) => Promise<string[]>;

/** As readline calls the function that `complete -F` names: the words are those of its own division. */
const inBash: Complete = (...words) =>
  lines('bash', [
    ...['--noprofile', '--norc', '-c'],
    `source "$1"; shift
     [[ $(complete -p udpcat) == 'complete -F _udpcat udpcat' ]] || exit
     COMP_WORDS=(udpcat "$@"); COMP_CWORD=$#; _udpcat; printf '%s\\n' "\${COMPREPLY[@]}"`,
    ...['bash', join(folder, 'bash'), ...words.flatMap((word) => word.split(/(?<==)|(?==)/))],
  ]);

const inFish: Complete = async (...words) => {
  const script = 'source $argv[1]; complete -C $argv[2]';
  const found = await lines('fish', [
    '--no-config',
    '-c',
    script,
    join(folder, 'fish'),
    ['udpcat', ...words].join(' '),
  ]);
  // A word may be shown with its description, and with the option that it is the value of.
  return found.map((line) => line.replace(/\t.*/, '').replace(/^--[\w-]+=(?=.)/, ''));
};

/** At a terminal, as its completion works nowhere else: what is offered goes to a file as well. */
const inZsh: Complete = async (...words) => {
  const found = join(folder, 'found');
  const start = join(folder, '.zshrc');
  writeFileSync(found, '');
  writeFileSync(
    start,
    `PS1='ready> ' LISTMAX=1000
     # Keeps the list of the functions of zsh for the next start: to make the list takes most of the time.
     autoload -Uz compinit; compinit -C -u -d ${join(folder, 'functions')}
     source ${join(folder, 'zsh')}
     compadd() {
       local -a hits
       if [[ \${@[1,(i)(-|--)]} != *-[a-zA-Z]#[OAD](| *) ]]; then
         builtin compadd -O hits "$@"; print -rl -- $hits >>${found}
       fi
       builtin compadd "$@"
     }
     setopt extended_glob`,
  );
  await using shell = terminal(`cd ${quote(join(folder, 'here'))} && ZDOTDIR=${quote(folder)} zsh -d -i`);
  await shell.until('ready> ');
  // Tab, then the line is taken back.
  shell.type(`udpcat ${words.join(' ')}\t\x15exit\r`);
  await shell.outcome;
  return readFileSync(found, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
};

function describeShell(shell: string, complete: Complete): void {
  describeWith(shell, `in ${shell}`, () => {
    test('the commands are offered', async () => {
      expect((await complete('')).sort()).toEqual([...COMMANDS].sort());
      expect((await complete('se')).sort()).toEqual(['send', 'serve']);
    });

    test.each(['', ...COMMANDS])('every option of udpcat %s is offered, and no other', async (command) => {
      const words = command === '' ? ['-'] : [command, '-'];
      const offered = new Set(await complete(...words));
      expect([...offered].sort()).toEqual([...new Set(await optionsInHelp(command))].sort());
    });

    test.each([
      ['serve', '-o', ['utf8', 'hex', 'dump', 'base64', 'json', 'raw', 'none']],
      ['echo', '--output', ['utf8', 'hex', 'dump', 'base64', 'json', 'raw', 'none']],
      ['send', '--encoding', ['utf8', 'hex', 'base64', 'escaped']],
      ['serve', '--overflow', ['drop-newest', 'drop-oldest', 'fail']],
      ['send', '--exit-code', ['udpcat', 'docker', 'nagios']],
      ['send', '--frame', ['lines', 'null', 'whole', 'length', 'json', 'chunk:']],
      ['echo', '--log-level', ['debug', 'info', 'warn', 'error']],
      ['send', '--replies', ['all']],
    ])('the values of %s %s are offered, in the next word and in the same', async (command, option, values) => {
      expect((await complete(command, option, '')).sort()).toEqual([...values].sort());
      if (option.startsWith('--')) {
        expect((await complete(command, `${option}=`)).sort()).toEqual([...values].sort());
      }
    });

    test('probes are offered by name', async () => {
      const { stdout } = await udpcat(['send', '--probe', 'list']);
      const names = [...stdout.toString().matchAll(/^ {2}([a-z]+)/gm)].map(([, name = '']) => name);
      expect(names).toContain('dns');
      expect(await complete('send', '127.0.0.1:53', '--probe', '')).toEqual(expect.arrayContaining(names));
    });

    test.each([
      ['serve', '--reply-file'],
      ['send', '--file'],
      ['send', '--replay'],
      ['echo', '--record'],
    ])('files are offered for %s %s', async (command, option) => {
      const [file = '', ...more] = await complete(command, option, 'two');
      expect(more).toEqual([]);
      expect(file.replaceAll('\\', '')).toBe('two words.bin');
    });

    test('interfaces are offered for --interface', async () => {
      const offered = await complete('serve', '--interface', '');
      expect(offered).toEqual(expect.arrayContaining(Object.keys(networkInterfaces())));
    });

    test('the shells are offered for completion, and the commands for help', async () => {
      expect((await complete('completion', '')).sort()).toEqual(['bash', 'fish', 'zsh']);
      expect((await complete('help', '')).sort()).toEqual([...COMMANDS].sort());
    });

    test('nothing is offered where only the user can know, nor an option after --', async () => {
      expect(await complete('serve', '--count', '')).toEqual([]);
      expect(await complete('send', '-b', '')).toEqual([]);
      expect(await complete('send', '127.0.0.1:8000', '--', '-')).toEqual([]);
    });
  });
}

describe('the completions', () => {
  describeShell('bash', inBash);
  describeShell('zsh', inZsh);
  describeShell('fish', inFish);

  test.each([
    { args: [], says: /shell/ },
    { args: ['tcsh'], says: /'tcsh'.*bash, zsh, fish/ },
    { args: ['bash', 'zsh'], says: /too many arguments for 'completion'/ },
  ])('are a usage error for $args', async ({ args, says }) => {
    const { stdout, stderr, status } = await udpcat(['completion', ...args]);
    expect({ stdout: stdout.toString(), status }).toEqual({ stdout: '', status: 2 });
    expect(stderr).toMatch(says);
    expect(stderr.match(/\n/g)).toHaveLength(1);
  });
});
