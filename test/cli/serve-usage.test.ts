import { describe, expect, test } from '@jest/globals';
import { logLines } from '../support/service.js';
import { udpcat } from '../support/in-process.js';
import { commandLine, shell } from '../support/udpcat.js';
import { readFileSync } from 'node:fs';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

/** Expects status 2 with one line on stderr and nothing on stdout. Resolves to the line. */
async function usageError(args: readonly string[]): Promise<string> {
  const outcome = await udpcat(args);
  expect(outcome).toMatchObject({ status: 2, stdout: Buffer.alloc(0) });
  const lines = logLines(outcome);
  expect(lines).toEqual([expect.stringMatching(/^udpcat: /)]);
  return lines[0] ?? '';
}

describe('a command line that is wrong is one line and status 2:', () => {
  test.each([['--dscp', '46'], ['--dont-fragment'], ['--bind-device', 'lo'], ['--reuse-port']])(
    '%s beside --engine node, which cannot do it',
    async (...args) => {
      const line = await usageError(['serve', '--engine', 'node', ...args]);
      expect(line).toContain(`option '${args[0]}' is one of the linux engine`);
    },
  );

  test.each([
    { what: 'no command', args: [], says: /serve, send, echo.*--help/ },
    { what: 'an unknown command', args: ['listen'], says: /unknown command 'listen'/ },
    { what: 'a misspelt command', args: ['sevre'], says: /'sevre'.*serve/ },
    { what: 'an unknown option', args: ['serve', '--nosuch'], says: /unknown option '--nosuch'/ },
    { what: 'a misspelt option', args: ['serve', '--cuont', '1'], says: /'--cuont'.*--count/ },
    { what: 'an unknown short option', args: ['echo', '-Z'], says: /unknown option '-Z'/ },
    { what: 'an option of another command', args: ['echo', '--reply', 'x'], says: /'--reply'/ },
    { what: 'a value that is missing', args: ['serve', '--count'], says: /'-c, --count <n>'.*missing/ },
    { what: 'a value for a flag', args: ['serve', '--quiet=yes'], says: /--quiet/ },
  ])('$what', async ({ args, says }) => {
    expect(await usageError(args)).toMatch(says);
  });

  const COUNT = /whole number from 1/;
  const DURATION = /250ms, 2s, 1\.5s, 3m, 1h/;
  const SIZE = /64k, 1M/;
  const wrong: Readonly<Record<string, { values: readonly string[]; accepted: RegExp }>> = {
    '--count': { values: ['0', '1.5', '', '1k', '0x10', '99999999999999999999'], accepted: COUNT },
    '--queue-size': { values: ['0', '-1', 'max'], accepted: COUNT },
    '--duration': { values: ['0s', '1d', '1 s', '1S', '.5s', 'Infinity'], accepted: DURATION },
    '--idle': { values: ['0', '1week'], accepted: DURATION },
    '--recv-buffer': { values: ['0', '1kb', '1m', '1.5M', '5000M'], accepted: SIZE },
    '--send-buffer': { values: ['0', 'x', '1025Mi'], accepted: SIZE },
    '--ttl': { values: ['0', '256', '-1', '1.5'], accepted: /1 to 255/ },
    '--engine': { values: ['kernel', ''], accepted: /auto, node, linux/ },
    '--dscp': { values: ['64', '-1', 'ef'], accepted: /0 to 63/ },
    '--bind-device': { values: ['nosuch0', ''], accepted: /no interface/ },
    '--output': { values: ['text', 'JSON', ''], accepted: /utf8, hex, dump, base64, json, raw, none/ },
    '--encoding': { values: ['latin1', 'HEX'], accepted: /utf8, hex, base64, escaped/ },
    '--overflow': { values: ['drop', 'block'], accepted: /drop-newest, drop-oldest, fail/ },
    '--log-level': { values: ['trace', 'loud'], accepted: /debug, info, warn, error/ },
    '--log-format': { values: ['xml'], accepted: /pretty, json/ },
    '--allow': {
      values: ['127.0.0.1/33', '127.1', 'localhost', '::1/129', '', '127.0.0.1:80'],
      accepted: /192\.0\.2\.0\/24/,
    },
    '--deny': { values: ['10.0.0.0/', 'fe80::1%lo', '1.2.3.4/8/8'], accepted: /192\.0\.2\.0\/24/ },
    '--rate-limit': {
      values: ['0/s', '0', '-1/s', '1/m', 'fast', '1/S'],
      accepted: /1000\/s, 50k\/s, a number a second, or max/,
    },
    '--max-peers': { values: ['0', '1.5'], accepted: COUNT },
    '--delay': { values: ['0', '-1ms'], accepted: DURATION },
    '--jitter': {
      values: ['0', '5ms:pareto', '5ms:', ':normal', '5ms:normal:1'],
      accepted: /5ms:uniform or 5ms:normal/,
    },
    '--loss': { values: ['5', '101%', '-1%', '%', '0.1', '1e1%'], accepted: /0% to 100%/ },
    '--duplicate': { values: ['half'], accepted: /0% to 100%/ },
    '--reorder': { values: [''], accepted: /0% to 100%/ },
    '--corrupt': { values: ['5 %'], accepted: /0% to 100%/ },
    '--truncate': { values: ['100.1%'], accepted: /0% to 100%/ },
    '--burst-loss': { values: ['5%', '1%:', '1:2', '1%:2%:3%:4%:5%', '1%::3%'], accepted: /p:r, p:r:k or p:r:k:h/ },
    '--blackhole': {
      values: ['..', '2s', '5s..2s', '2s..2s', 'a..b', '1s..2s..3s'],
      accepted: /2s\.\.5s, 2s\.\. or \.\.5s/,
    },
    '--lose': { values: ['0', '3..2', '..2', '2..', '1.5', 'x'], accepted: /2, 1\.\.3/ },
    '--max-size': { values: ['0', '1.5k', 'big'], accepted: /at least 1 byte/ },
    '--bandwidth': { values: ['0mbit', '10', '10Mbit', '10mb', '-1kbit'], accepted: /56kbit, 10mbit, 1gbit/ },
    '--line-queue': { values: ['0', '-1ms'], accepted: DURATION },
    '--seed': { values: ['-1', '4294967296', '1.5', 'x'], accepted: /0 to 4294967295/ },
    '--join': {
      values: [
        '10.0.0.1',
        'ff02::1%',
        'all',
        '',
        '239.1.2.3:7000',
        'x@239.1.2.3',
        '::1@232.1.1.1',
        '232.1.1.2@232.1.1.1',
      ],
      accepted: /multicast address: 239\.1\.2\.3, ff02::4242%eth0|no interface ""/,
    },
    '--interface': { values: ['nosuch0', '', '..', 'a/b'], accepted: /no interface/ },
    '--bind': { values: ['x', '', '70000', '127.1:1'], accepted: /PORT|0 to 65535|127\.0\.0\.1/ },
  };
  test.each(Object.entries(wrong))('%s with a wrong value', async (name, { values, accepted }) => {
    for (const value of values) {
      const line = await usageError(['serve', `${name}=${value}`]);
      expect(line).toContain(name);
      expect(line).toContain(value);
      expect(line).toMatch(accepted);
    }
  });

  test('--line-queue without a line', async () => {
    expect(await usageError(['echo', '--line-queue', '1s'])).toContain('--bandwidth');
  });

  test('a value as the next argument that looks like an option', async () => {
    expect(await usageError(['serve', '-c', '-1'])).toMatch(/'-1'.*whole number/);
  });

  test('a value with control characters, which is shown escaped', async () => {
    expect(await usageError(['serve', '-c', 'a\n\u001b[31m'])).toMatch(/^udpcat: [ -~]*$/);
  });

  test.each([
    ['-c', '1'],
    ['-o', 'hex'],
    ['-e', 'hex'],
    ['-b', '0'],
    ['--duration', '1s'],
    ['--idle', '1s'],
    ['--queue-size', '1'],
    ['--overflow', 'fail'],
    ['--recv-buffer', '1k'],
    ['--send-buffer', '1k'],
    ['--ttl', '1'],
    ['--engine', 'node'],
    ['--dscp', '1'],
    ['--bind-device', 'lo'],
    ['--interface', 'lo'],
    ['--log-level', 'info'],
    ['--log-format', 'pretty'],
    ['--rate-limit', '1/s'],
    ['--reply', 'x'],
    ['--reply-file', 'x'],
    ['--exec', 'x'],
    ['--exec-timeout', '1s'],
    ['--exec-concurrency', '1'],
    ['--rules', 'x'],
    ['--max-peers', '1'],
    ['--delay', '1s'],
    ['--loss', '1%'],
    ['--seed', '1'],
  ])('%s twice', async (option, value) => {
    expect(await usageError(['serve', option, value, option, value])).toMatch(RegExp(`'.*${option}.*' .*only once`));
  });

  test.each([
    ['-4', '-6'],
    ['--quiet', '-v'],
    ['-v', '--quiet'],
    ['--quiet', '--log-level=info'],
    ['--log-level=info', '-v'],
  ])('%s beside %s', async (one, other) => {
    const line = await usageError(['serve', one, other]);
    for (const option of [one, other]) expect(line).toContain(option.split('=')[0]);
  });

  test.each([
    { args: ['*:0', '--join', '239.1.2.3%nosuch0'], says: /239\.1\.2\.3%nosuch0.*no interface "nosuch0"/ },
    { args: ['*:0', '--join', '239.1.2.3', '--join', '239.1.2.3%lo', '--interface', 'lo'], says: /is given twice/ },
    {
      args: ['*:0', '--join', '232.1.2.3', '--join', '10.0.0.1@232.1.2.3'],
      says: /either from every source of a group or from the sources named/,
    },
    {
      args: ['0', '--join', '239.1.2.3'],
      says: /bound to 127\.0\.0\.1 does not receive from it; bind every interface, \*:0,/,
    },
    { args: ['239.1.2.4:0', '--join', '239.1.2.3'], says: /bound to 239\.1\.2\.4 does not receive from it/ },
    { args: ['0.0.0.0:0', '--join', 'FF02::1'], says: /join ff02::1: the socket on 0\.0\.0\.0 is IPv4 only/ },
    { args: ['*:0', '-6', '--join', '239.1.2.3'], says: /the socket on :: is IPv6 only/ },
  ])('$args: a group that cannot be joined, or would not be heard', async ({ args, says }) => {
    for (const command of ['serve', 'echo']) {
      const line = await usageError([command, ...args]);
      expect(line).toMatch(/^udpcat: option '--join': cannot join /);
      expect(line).toMatch(says);
    }
  });

  test('--bind beside an address', async () => {
    expect(await usageError(['echo', '1', '-b', '2'])).toMatch(/"1".*"2".*--bind/);
  });
});

describe('--allow and --deny', () => {
  test('may be given several times', async () => {
    const args = ['--allow', '127.0.0.1', '--allow', '::1', '--deny', '10.0.0.0/8', '--deny', '192.0.2.1'];
    expect((await udpcat(['serve', ...args, '--duration', '10ms'])).status).toBe(0);
  });
});

test('--join may be given several times', async () => {
  const args = ['--join', '239.1.2.3%lo', '--join', '239.1.2.4%lo', '--join', '10.0.0.1@232.1.2.3%lo'];
  expect((await udpcat(['serve', '*:0', ...args, '--duration', '10ms'])).status).toBe(0);
});

describe('a duration', () => {
  test.each(['10ms', '0.01', '0.01s', '0.0002m', '0.000003h'])('can be written %s', async (duration) => {
    expect((await udpcat(['serve', '--duration', duration])).status).toBe(0);
  });

  test('can be longer than a timer of 32 bits', async () => {
    // A timer with a longer time would ring at once.
    const { status } = await udpcat(['serve', '--idle', '1000h', '--duration', '50ms', '-c', '1']);
    expect(status).toBe(3);
  });
});

describe('--help', () => {
  test.each(['--help', '-h'])('%s of the program names the commands, the statuses and examples', async (flag) => {
    const { stdout, stderr, status } = await udpcat([flag]);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    for (const said of ['serve', 'send', 'echo', 'Exit status', 'Examples:', 'udpcat serve 8000']) {
      expect(stdout.toString()).toContain(said);
    }
  });

  const SHARED = `--output --encoding --hex --meta --no-meta --queue-size --overflow --count --duration --idle --bind
    --recv-buffer --send-buffer --ttl --broadcast --join --interface --engine --dscp --dont-fragment --bind-device --reuse-port --exact-drops --stats --no-stats --log-level --log-format --verbose --quiet
    --color --no-color --ipv4 --ipv6 --force --allow --deny --no-loop-guard --answer-service-ports --help`.split(/\s+/);

  const ANSWERS = ['--reply', '--reply-file', '--rules', '--exec', '--shell', '--exec-timeout', '--exec-concurrency'];

  test.each([
    { command: 'serve', options: [...SHARED, ...ANSWERS, '--interactive', '--no-interactive'] },
    { command: 'echo', options: [...SHARED, '--rate-limit'] },
  ])('of $command names every option, and shows examples', async ({ command, options }) => {
    const { stdout, stderr, status } = await udpcat([command, '--help']);
    expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
    const help = stdout.toString();
    expect(options.filter((option) => !RegExp(`(^|[\\s,])${option}\\b`, 'm').test(help))).toEqual([]);
    expect(help).toMatch(RegExp(`^Examples:\n( +udpcat ${command} .*\n?)+`, 'm'));
    expect(help).toMatch(/raw loses their boundaries/);
  });

  testWithShell('can be read in part by a reader that closes the pipe', async () => {
    await using running = shell(`${commandLine(['serve', '--help'])} | head -1; echo "status \${PIPESTATUS[0]}"`, {
      program: 'bash',
    });
    expect(await running.outcome).toMatchObject({ stderr: '', stdout: expect.anything() });
    expect((await running.outcome).stdout.toString()).toMatch(/^Usage: udpcat serve .*\nstatus 0\n$/);
  });
});

test('--version prints the version of the package', async () => {
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  for (const flag of ['--version', '-V']) {
    await using running = shell(`exec ${commandLine([flag])}`);
    const stdout = Buffer.from(`${manifest.version}\n`);
    expect(await running.outcome).toMatchObject({ status: 0, stderr: '', stdout });
  }
});

test('the examples of serve and echo in the help are command lines that udpcat takes', async () => {
  for (const command of ['serve', 'echo']) {
    const help = (await udpcat([command, '--help'])).stdout.toString();
    const examples = [...help.matchAll(/^ {2}(udpcat (?:serve|echo) .*?) {2,}/gm)].map(([, line = '']) => line);
    expect(examples.length).toBeGreaterThan(1);
    for (const example of examples) {
      // Port 0 instead of the port in the example, which may be in use. --duration ends the command.
      const line = example
        .replace(/^udpcat /, '')
        .replace(/>.*$/, '')
        .replace(/(\d000)/, '0');
      const words = line.match(/'[^']*'|\S+/g) ?? [];
      const [name = '', ...rest] = words.map((word) => word.replaceAll("'", ''));
      const ends = rest.includes('--duration') ? [] : ['--duration', '10ms'];
      const { status } = await udpcat([name, ...rest.map((word) => (word === '5s' ? '10ms' : word)), ...ends]);
      expect({ example, status }).toEqual({ example, status: rest.includes('--count') ? 3 : 0 });
    }
  }
});
