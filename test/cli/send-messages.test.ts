import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { arrivals, type Family, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { commandLine, type Outcome, type RunOptions, shell } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

const folder = mkdtempSync(join(tmpdir(), 'udpcat-messages-'));

afterAll(() => {
  rmSync(folder, { recursive: true });
});

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

function namedPipe(name: string): string {
  const path = join(folder, name);
  execFileSync('mkfifo', [path]);
  return path;
}

interface Sent extends Outcome {
  /** The payloads that arrived, with each byte as a character of Latin-1. */
  readonly arrived: readonly string[];
}

async function sendTo(
  args: readonly string[],
  { family = 4, ...options }: RunOptions & { readonly family?: Family } = {},
): Promise<Sent> {
  await using server = await silentServer(family);
  const outcome = await udpcat(['send', server.address, ...args], options);
  return { ...outcome, arrived: await arrivals(server) };
}

const done = { status: 0, stderr: '' };

describe('arguments', () => {
  test('are one datagram each, also an empty one', async () => {
    const sent = await sendTo(['one', '', 'two\nlines', 'one']);
    expect(sent).toMatchObject({ ...done, arrived: ['one', '', 'two\nlines', 'one'] });
  });

  test('may begin with a dash after --', async () => {
    expect(await sendTo(['--', '-n', '--expect', '--'])).toMatchObject({ ...done, arrived: ['-n', '--expect', '--'] });
  });

  test('that look like options without -- are a usage error', async () => {
    const sent = await sendTo(['-hello']);
    expect(sent).toMatchObject({ status: 2, arrived: [] });
    expect(sent.stderr).toContain("unknown option '-hello'");
  });

  test('leave stdin alone', async () => {
    expect(await sendTo(['one'], { stdin: 'two\n' })).toMatchObject({ ...done, arrived: ['one'] });
  });

  test('are sent while stdin stays open, and the command ends', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, 'hello']);
    expect(await running.outcome).toMatchObject(done);
    expect(await arrivals(server)).toEqual(['hello']);
  });

  test.each([
    ['hex', ['00ff', 'DE ad be EF', ''], ['\0\xff', '\xde\xad\xbe\xef', '']],
    ['base64', ['AP8=', 'AP8', ''], ['\0\xff', '\0\xff', '']],
    ['escaped', ['a\\n\\r\\t\\\\\\0\\xff', 'ä'], ['a\n\r\t\\\0\xff', '\xc3\xa4']],
    ['utf8', ['a\\n', 'ä\u{1f600}'], ['a\\n', '\xc3\xa4\xf0\x9f\x98\x80']],
  ])('are decoded with -e %s', async (encoding, args, arrived) => {
    expect(await sendTo(['-e', encoding, ...args])).toMatchObject({ ...done, arrived });
  });

  test.each([
    ['hex', '0', 'hex digits come in pairs'],
    ['hex', '0g', '"g" is not a hex digit'],
    ['hex', '0 1', 'hex digits come in pairs'],
    ['base64', 'AP8=x', 'it is not base64'],
    ['base64', 'AP_-', 'it is not base64'],
    ['escaped', '\\q', '"\\q" is not an escape'],
    ['escaped', 'end\\', '"\\" is not an escape'],
    ['escaped', '\\x1', '"\\x" is not an escape'],
  ])('that are not -e %s are a usage error: %s', async (encoding, text, message) => {
    const sent = await sendTo(['-e', encoding, '00', text]);
    expect(sent).toMatchObject({ status: 2, arrived: [] });
    expect(sent.stderr).toContain(message);
    expect(sent.stderr).toMatch(/^udpcat: .*\n$/);
  });

  testWithShell('that are not valid UTF-8 are a usage error that names -e hex', async () => {
    await using server = await silentServer();
    await using running = shell(`exec ${commandLine(['send', server.address])} good "$(printf 'b\\377d')"`);
    const { status, stderr } = await running.outcome;
    expect(stderr).toBe('udpcat: the message is not valid UTF-8: write such bytes with -e hex\n');
    expect(status).toBe(2);
    expect(await arrivals(server)).toEqual([]);
  });

  test('with a genuine U+FFFD are sent', async () => {
    expect(await sendTo(['b\u{fffd}d'])).toMatchObject({ ...done, arrived: ['b\xef\xbf\xbdd'] });
  });

  testWithShell('with a genuine U+FFFD do not hide another one that is not valid UTF-8', async () => {
    await using server = await silentServer();
    await using running = shell(`exec ${commandLine(['send', server.address, 'b\u{fffd}d'])} "$(printf 'b\\377d')"`);
    expect((await running.outcome).status).toBe(2);
  });
});

describe('--file', () => {
  test('sends each file as one datagram, unchanged whatever -e says', async () => {
    const paths = [file('text', 'a\nb\r\n'), file('empty', ''), file('bytes', Uint8Array.of(0, 255, 10))];
    const args = paths.flatMap((path) => ['--file', path]);
    expect(await sendTo([...args, '-e', 'hex'])).toMatchObject({ ...done, arrived: ['a\nb\r\n', '', '\0\xff\n'] });
  });

  test('that is missing is status 1 in one line, and nothing is sent', async () => {
    const missing = join(folder, 'missing');
    const sent = await sendTo(['--file', file('there', 'x'), '--file', missing]);
    expect(sent).toMatchObject({ status: 1, arrived: [] });
    expect(sent.stderr).toMatch(/^udpcat: cannot read .*missing: .*\n$/);
  });

  test('that is a folder is status 1 in one line', async () => {
    const sent = await sendTo(['--file', folder]);
    expect(sent).toMatchObject({ status: 1, arrived: [] });
    expect(sent.stderr).toMatch(/^udpcat: cannot read .*\n$/);
  });

  testWithShell('may be a pipe', async () => {
    await using server = await silentServer();
    await using running = shell(`printf 'a\\nb' | ${commandLine(['send', server.address, '--file', '/dev/stdin'])}`);
    expect(await running.outcome).toMatchObject(done);
    expect(await arrivals(server)).toEqual(['a\nb']);
  });

  test('may be a named pipe whose writer comes later and writes several times', async () => {
    const path = namedPipe('pipe');
    await using server = await silentServer();
    await using running = start(['send', server.address, '--file', path]);
    const writer = await open(path, 'w');
    await writer.write('one ');
    await writer.write('two');
    await writer.close();
    expect(await running.outcome).toMatchObject(done);
    expect(await arrivals(server)).toEqual(['one two']);
  });

  test('that is a pipe without a writer does not delay the deadline', async () => {
    const sent = await sendTo(['--file', namedPipe('silent'), '--deadline', '500ms']);
    const stderr = 'udpcat: the deadline of 500ms came before everything was sent\n';
    expect(sent).toMatchObject({ status: 1, stderr, arrived: [] });
  });

  test.each([
    [4, 65_507],
    [6, 65_527],
  ] as const)('over IPv%d is sent whole up to %d bytes', async (family, bytes) => {
    const content = Buffer.alloc(bytes, 'udpcat');
    const sent = await sendTo(['--file', file(`largest-${family}`, content)], { family });
    expect(sent).toMatchObject(done);
    expect(sent.arrived.map((data) => Buffer.from(data, 'latin1').equals(content))).toEqual([true]);
  });

  test('that is one byte too long is a usage error before anything is sent', async () => {
    const large = file('large', Buffer.alloc(65_508));
    const sent = await sendTo(['--file', file('small', 'x'), '--file', large]);
    expect(sent).toMatchObject({ status: 2, arrived: [] });
    expect(sent.stderr).toMatch(/^udpcat: .*large.* the limit is 65507\n$/);
  });
});

describe('--size', () => {
  test.each([
    [4, '0', 0],
    [4, '1400', 1400],
    [4, '2k', 2000],
    [4, '1KiB', 1024],
    [4, '1Ki', 1024],
    [4, '65507', 65_507],
    [6, '65527', 65_527],
  ] as const)('over IPv%d sends a payload of %s bytes', async (family, size, bytes) => {
    const sent = await sendTo(['--size', size], { family });
    expect(sent.arrived.map(({ length }) => length)).toEqual([bytes]);
    expect(sent).toMatchObject(done);
  });

  test.each([
    [4, 65_508, 65_507],
    [6, 65_528, 65_527],
  ] as const)('over IPv%d of %d bytes is a usage error that names the limit', async (family, bytes, limit) => {
    const sent = await sendTo(['--size', String(bytes)], { family });
    expect(sent).toMatchObject({ status: 2, arrived: [] });
    expect(sent.stderr).toMatch(RegExp(`^udpcat: .*--size.*${bytes}.* the limit is ${limit}\n$`));
  });
});

describe('a message over the limit', () => {
  test.each([
    [4, 65_507],
    [6, 65_527],
  ] as const)(
    'over IPv%d is a usage error before anything is sent, and one at the limit is sent',
    async (family, limit) => {
      const largest = Buffer.alloc(limit, 0xaa);
      const whole = await sendTo(['-e', 'base64', largest.toString('base64')], { family });
      expect(whole).toMatchObject(done);
      expect(whole.arrived.map(({ length }) => length)).toEqual([limit]);
      const tooLarge = Buffer.alloc(limit + 1, 0xaa).toString('base64');
      const sent = await sendTo(['-e', 'base64', 'AP8=', tooLarge], { family });
      expect(sent).toMatchObject({ status: 2, arrived: [] });
      expect(sent.stderr).toMatch(RegExp(`^udpcat: .*${limit + 1} bytes.* the limit is ${limit}\n$`));
    },
  );
});

describe('stdin', () => {
  const cuts: readonly [title: string, args: readonly string[], stdin: string | Uint8Array, arrived: string[]][] = [
    ['into lines', [], 'a\n\nb\n', ['a', '', 'b']],
    ['into lines without their CR', [], 'a\r\n\r\nb\rc\r\n', ['a', '', 'b\rc']],
    ['into lines, the last one without its newline', [], 'a\nb', ['a', 'b']],
    ['into lines by name', ['--frame', 'lines'], 'a\nb\n', ['a', 'b']],
    ['into bytes that are no UTF-8, unchanged', [], Uint8Array.of(0xff, 0, 10, 0xfe), ['\xff\0', '\xfe']],
    ['into pieces that end in NUL', ['--frame', 'null'], 'a\nb\0\0c\0', ['a\nb', '', 'c']],
    ['into pieces of which the last has no NUL', ['--frame', 'null'], 'a\0b', ['a', 'b']],
    ['into one piece', ['--frame', 'whole'], 'a\nb\n', ['a\nb\n']],
    ['into one empty piece where there is nothing', ['--frame', 'whole'], '', ['']],
    ['into chunks, the last one shorter', ['--frame', 'chunk:3'], 'abcdefgh', ['abc', 'def', 'gh']],
    ['into chunks, none of them empty', ['--frame', 'chunk:4'], 'abcdefgh', ['abcd', 'efgh']],
    ['by length', ['--frame', 'length'], '\0\0\0\x02hi\0\0\0\0\0\0\0\x01!', ['hi', '', '!']],
    [
      'into JSON lines',
      ['--frame', 'json'],
      [
        '{"v":1,"type":"datagram","dir":"in","data":"hi"}',
        '{"type":"datagram","data":""}',
        '',
        '{"type":"datagram","dir":"out","data":"no"}',
        '{"type":"summary","sent":1}',
        '{"type":"datagram","base64":"AP8="}\r',
        '{"type":"datagram","data":"\\u0000ä"}',
      ].join('\n'),
      ['hi', '', '\0\xff', '\0\xc3\xa4'],
    ],
    ['into lines of hex', ['-e', 'hex'], '00 ff\nAB\n\n', ['\0\xff', '\xab', '']],
    ['into lines of base64', ['-e', 'base64'], 'AP8=\nAP8\n', ['\0\xff', '\0\xff']],
    ['into escaped lines', ['-e', 'escaped'], 'a\\nb\\0\n', ['a\nb\0']],
    ['into escaped pieces', ['-e', 'escaped', '--frame', 'null'], 'a\\nb\0c', ['a\nb', 'c']],
    ['into hex as a whole', ['-x', '--frame', 'whole'], '00 01\n02 03\n', ['\0\x01\x02\x03']],
  ];

  test.each(cuts)('is cut %s', async (_title, args, stdin, arrived) => {
    expect(await sendTo(args, { stdin })).toMatchObject({ ...done, arrived });
  });

  test('is cut in the same way if it comes in other pieces', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address]);
    running.stdin.write('one\nt');
    await server.collect(1);
    running.stdin.write('wo\r');
    running.stdin.end('\nthree');
    expect(await running.outcome).toMatchObject(done);
    expect(await arrivals(server)).toEqual(['one', 'two', 'three']);
  });

  const largest = 'x'.repeat(65_507);

  test('holds datagrams of 65507 bytes in each frame', async () => {
    const prefix = Buffer.from([0, 0, 0xff, 0xe3]);
    const json = JSON.stringify({ type: 'datagram', data: largest });
    const inputs: [string, string | Uint8Array][] = [
      ['lines', `${largest}\n`],
      ['null', `${largest}\0`],
      ['whole', largest],
      ['chunk:65507', largest],
      ['length', Buffer.concat([prefix, Buffer.from(largest)])],
      ['json', json],
    ];
    for (const [frame, stdin] of inputs) {
      const sent = await sendTo(['--frame', frame], { stdin });
      expect({ frame, ...sent, arrived: sent.arrived.map(({ length }) => length) }).toMatchObject({
        ...done,
        arrived: [65_507],
      });
    }
  });

  const bad: readonly [title: string, args: string[], stdin: string, arrived: string[], message: string][] = [
    ['too long', [], `a\nb\n${largest}x\nd\n`, ['a', 'b'], 'line 3 cannot be sent: it has 65508 bytes'],
    ['no hex', ['-e', 'hex'], '00\nzz\n01\n', ['\0'], 'line 2 cannot be sent: "z" is not a hex digit'],
    ['no JSON', ['--frame', 'json'], '{"type":"datagram","data":"a"}\n\n{\n', ['a'], 'line 3 cannot be sent'],
    [
      'a JSON datagram with no payload',
      ['--frame', 'json'],
      '{"type":"datagram"}\n{"type":"datagram","data":"a"}\n',
      [],
      'line 1 cannot be sent: a datagram has exactly one of "data" and "base64"',
    ],
    [
      'a JSON datagram with two payloads',
      ['--frame', 'json'],
      '{"type":"datagram","data":"a"}\n{"type":"datagram","data":"a","base64":"YQ=="}\n',
      ['a'],
      'line 2 cannot be sent: a datagram has exactly one of "data" and "base64"',
    ],
    ['cut short', ['--frame', 'length'], '\0\0\0\x01a\0\0\0\x05bc', ['a'], 'piece 2 cannot be sent: the input ends'],
    [
      'cut short in its length',
      ['--frame', 'length'],
      '\0\0\0\x01a\0\0',
      ['a'],
      'piece 2 cannot be sent: the input ends',
    ],
    ['announced too long', ['--frame', 'length'], '\0\0\0\x01a\xff\xff\xff\xff', ['a'], 'piece 2 cannot be sent'],
    ['a chunk too long', ['--frame', 'chunk:70k'], `${largest}x`, [], 'piece 1 cannot be sent: it has 65508 bytes'],
  ];

  test.each(bad)(
    'with a piece that is %s is status 1: the pieces before it are sent, the ones after it are not',
    async (_title, args, stdin, arrived, message) => {
      const sent = await sendTo(args, { stdin: Buffer.from(stdin, 'latin1') });
      expect(sent.stderr).toContain(`udpcat: ${message}`);
      expect(sent.stderr).toMatch(/^udpcat: .*\n$/);
      expect(sent).toMatchObject({ status: 1, arrived });
    },
  );

  test('that stays open after a bad piece does not delay the end', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, '-e', 'hex']);
    running.stdin.write('00\nzz\n');
    expect(await running.outcome).toMatchObject({ status: 1 });
  });

  testWithShell('that is a directory cannot be read, which is status 1, and sends nothing', async () => {
    await using server = await silentServer();
    await using running = shell(`${commandLine(['send', server.address, '--frame', 'whole'])} < /`);
    expect(await running.outcome).toMatchObject({
      status: 1,
      stderr: 'udpcat: cannot read stdin: it is a directory (EISDIR)\n',
    });
    expect(server.received).toEqual([]);
  });

  test('with an endless line does not fill the memory', async () => {
    const sent = await sendTo([], { stdin: Buffer.alloc(3_000_000, 'x') });
    expect(sent.stderr).toBe('udpcat: line 1 cannot be sent: it is longer than 1048576 bytes\n');
    expect(sent).toMatchObject({ status: 1, arrived: [] });
  });

  test.each([[[]], [['--frame', 'null']], [['-n', '1']], [['-c', '2']], [['--frame', 'json']]])(
    'that is empty is status 1, because there is nothing to send (%j)',
    async (args) => {
      const sent = await sendTo(args);
      expect(sent).toMatchObject({ status: 1, stderr: 'udpcat: there was nothing to send\n', arrived: [] });
    },
  );
});

describe('messages from two sources are a usage error:', () => {
  test.each([
    [['hello', '--file', 'x'], 'messages as arguments and --file'],
    [['hello', '--size', '5'], 'messages as arguments and --size'],
    [['--file', 'x', '--size', '5'], '--file and --size'],
    [['hello', '--frame', 'lines'], 'messages as arguments and --frame'],
    [['--file', 'x', '--frame', 'null'], '--file and --frame'],
  ])('%j', async (args, sources) => {
    const sent = await sendTo(args);
    expect(sent).toMatchObject({ status: 2, arrived: [] });
    expect(sent.stderr).toContain(`messages come from one source only, not from ${sources}`);
  });
});

test.each(['chunk:0', 'chunk:', 'chunk:x', 'line', ''])('--frame %j is a usage error', async (frame) => {
  const sent = await sendTo(['--frame', frame], { stdin: 'x' });
  expect(sent).toMatchObject({ status: 2, arrived: [] });
  expect(sent.stderr).toMatch(/^udpcat: .*--frame.*\n$/);
});
