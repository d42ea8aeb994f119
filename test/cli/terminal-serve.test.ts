import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { testWithLinuxEngine } from '../support/engines.js';
import { describeWith, testWith } from '../support/peers.js';
import { screen } from '../support/screen.js';
import { drained, sendAll } from '../support/service.js';
import { silentServer } from '../support/sockets.js';
import { commandLine, quote, type Running, start, terminal } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-terminal-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** Returns the address in the listening line on the terminal. */
async function listeningAt(running: Running): Promise<string> {
  return (await running.until(/listening on (\S+)\r\n/))[1] ?? '';
}

/** Returns everything that a terminal showed, without the listening line. */
async function shown(args: readonly string[], payloads: readonly (string | Uint8Array)[]): Promise<string> {
  await using running = terminal(['serve', '--no-color', '-c', String(payloads.length), ...args]);
  await using peer = await silentServer();
  await sendAll(peer, await listeningAt(running), payloads);
  const { stdout, status } = await running.outcome;
  expect(status).toBe(0);
  return stdout.toString('latin1').replace(/^udpcat: listening on \S+\r\n/m, '');
}

const HOSTILE = Buffer.from('\x1b[31mred\x1b]0;title\x07\x00\b\x7f\r\nnext\t\n\n', 'latin1');
const WITHOUT_STATS = ['--no-stats', '--no-meta'];

describeWith('script', 'serve at a terminal', () => {
  test('writes control characters, inner newlines and invalid bytes in escaped form only', async () => {
    const invalid = Uint8Array.of(0x61, 0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xc2, 0x9b, 0x62);
    const text = await shown(WITHOUT_STATS, [HOSTILE, invalid, 'plain', 'ended\n', '']);
    expect(text.split('\r\n')).toEqual([
      '\\x1b[31mred\\x1b]0;title\\x07\\0\\x08\\x7f\\r\\nnext\\t\\n',
      'a\\xff\\xc0\\x80\\xed\\xa0\\x80\\xc2\\x9bb',
      'plain',
      'ended',
      '',
      '',
    ]);
  });

  test('writes other scripts unchanged, but marks that change the direction of text in escaped form', async () => {
    const text = await shown(WITHOUT_STATS, ['grüße 😀', 'a\u202eb\u2066c\u2028d']);
    expect(Buffer.from(text, 'latin1').toString().split('\r\n')).toEqual([
      'grüße 😀',
      'a\\xe2\\x80\\xaeb\\xe2\\x81\\xa6c\\xe2\\x80\\xa8d',
      '',
    ]);
  });

  test.each(['json', 'hex', 'base64', 'dump'])('writes no control character with -o %s', async (format) => {
    const text = await shown(['--no-stats', '-o', format], [HOSTILE, Uint8Array.of(0x9b, 0x31)]);
    // eslint-disable-next-line no-control-regex -- the test looks for control characters
    expect(text.replaceAll('\r\n', '')).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
  });

  test('writes JSON with the same values', async () => {
    const text = await shown(['--no-stats', '-o', 'json'], [HOSTILE]);
    const lines = text.trimEnd().split('\r\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toContainEqual(
      expect.objectContaining({ type: 'datagram', data: HOSTILE.toString('latin1') }),
    );
  });

  test('writes time, addresses and size before each datagram, except with --no-meta', async () => {
    expect(await shown(['--no-stats'], ['hello'])).toMatch(
      /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z 127\.0\.0\.1:\d+ > 127\.0\.0\.1:\d+ 5 bytes: hello\r\n$/,
    );
    expect(await shown(['--no-stats', '--no-meta'], ['hello'])).toBe('hello\r\n');
  });

  test('writes a summary at the end, except with --no-stats', async () => {
    expect(await shown(['--no-meta'], ['x'])).toMatch(
      /^x\r\nudpcat: 1 received, 0 sent in \S+ s\r\nudpcat: from \S+: 1 received, 1 byte, \S+Z\r\n$/,
    );
    expect(await shown(['--no-meta', '--no-stats'], ['x'])).toBe('x\r\n');
    expect(await shown(['--no-meta', '--quiet'], ['x'])).toBe('x\r\n');
    expect(await shown(['--no-meta', '--quiet', '--stats'], ['x'])).toMatch(/^x\r\nudpcat: 1 received/);
  });

  test.each([80, 120])('writes a summary of at most 80 columns in a terminal of %d', async (columns) => {
    await using running = terminal(['serve', '--no-color', '-o', 'none', '--reply', 'x', '-6', '-c', '4'], { columns });
    const address = await listeningAt(running);
    await using peer = await silentServer(6);
    await sendAll(peer, address, ['a', 'b', 'c', 'x'.repeat(50)]);
    const rows = screen((await running.outcome).stdout.toString());
    expect(rows.filter((row) => row.length > 80)).toEqual([]);
    expect(rows.join('\n')).toMatch(
      /: 4 received, 53 bytes \(1 to 50 each\), 4 answered,(?: |\nudpcat: {3})[\d,]+\/s,(?: |\nudpcat: {3})\S+Z to \S+Z\n/,
    );
  });

  test('writes each line of the summary whole if stderr is a file', async () => {
    const file = join(folder, 'summary');
    await using running = terminal(['serve', '--no-color', '--stats', '-c', '2'], { stderr: file });
    await using peer = await silentServer();
    const listening = async (): Promise<string> => {
      for (;;) {
        const [, address] = /listening on (\S+)\n/.exec(existsSync(file) ? readFileSync(file, 'utf8') : '') ?? [];
        if (address !== undefined) return address;
        await delay(20);
      }
    };
    await sendAll(peer, await listening(), ['a', 'b']);
    await running.outcome;
    expect(readFileSync(file, 'utf8')).toMatch(/^udpcat: from \S+: 2 received, 2 bytes, \S+\/s, \S+Z to \S+Z$/m);
  });

  test('writes no raw bytes without --force, but an error', async () => {
    await using refused = terminal(['serve', '-o', 'raw', '--no-color']);
    const { status, stdout } = await refused.outcome;
    expect({ status, stdout: stdout.toString() }).toEqual({
      status: 2,
      stdout: expect.stringMatching(/^udpcat: .*'?-o raw'? .*--force\r\n$/),
    });
    expect(await shown(['-o', 'raw', '--force', ...WITHOUT_STATS], ['\x1b[31mred'])).toBe('\x1b[31mred');
  });

  test('changes datagrams only if stdout is the terminal: in a file they are unchanged', async () => {
    const file = join(folder, 'stdout');
    await using running = terminal(['serve', '-c', '2', '--no-color'], { stdout: file });
    await using peer = await silentServer();
    await sendAll(peer, await listeningAt(running), [HOSTILE, 'plain']);
    const { stdout } = await running.outcome;
    expect(readFileSync(file)).toEqual(Buffer.concat([HOSTILE, Buffer.from('plain\n')]));
    expect(stdout.toString()).toMatch(/udpcat: 2 received/);
  });

  test('writes a summary only if stderr is the terminal', async () => {
    const file = join(folder, 'stderr');
    await using running = terminal(['serve', '--duration', '50ms'], { stderr: file });
    expect((await running.outcome).stdout.toString()).toBe('');
    expect(readFileSync(file, 'utf8')).toMatch(/^udpcat: listening on \S+\n$/);
  });

  test('writes colours around the datagrams, except with --no-color', async () => {
    const colored = async (args: readonly string[], env = {}): Promise<boolean> => {
      await using running = terminal(['serve', '-c', '1', ...args], { env });
      await using peer = await silentServer();
      await peer.send('x', await listeningAt(running));
      return (await running.outcome).stdout.includes('\x1b[');
    };
    expect(await Promise.all([colored([]), colored(['--no-color']), colored([], { NO_COLOR: '1' })])).toEqual([
      true,
      false,
      false,
    ]);
    expect(
      await Promise.all([
        colored(['--color'], { NO_COLOR: '1' }),
        colored([], { FORCE_COLOR: '0' }),
        colored([], { TERM: 'dumb' }),
      ]),
    ).toEqual([true, false, false]);
  });

  test('obeys --no-color in a usage error too', async () => {
    await using plain = terminal(['serve', 'nonsense', '--no-color']);
    await using colored = terminal(['serve', 'nonsense']);
    expect((await plain.outcome).stdout.toString()).toMatch(/^udpcat: invalid address "nonsense".*\r\n$/);
    expect((await colored.outcome).stdout.toString()).toContain('\x1b[31m');
  });

  test('writes no control character of an argument in an error message', async () => {
    await using running = terminal(['serve', '\x1b[31m\x07red:80', '--no-color']);
    const { stdout, status } = await running.outcome;
    expect(status).toBe(2);
    // eslint-disable-next-line no-control-regex -- the test looks for control characters
    expect(stdout.toString().replaceAll('\r\n', '')).not.toMatch(/[\x00-\x1f]/);
  });

  test('ends by Ctrl-C with status 0 and its summary', async () => {
    await using running = terminal(['serve', '--no-color', '--no-meta']);
    await using peer = await silentServer();
    await peer.send('hello', await listeningAt(running));
    await running.until('hello\r\n');
    running.type('\x03');
    const { status, stdout } = await running.outcome;
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: expect.stringMatching(/1 received/) });
  });
});

describeWith('script', 'typing into serve at a terminal', () => {
  const ARGS = ['serve', '--no-color', '--no-meta'];

  test('sends each line to the peer of the last datagram', async () => {
    await using running = terminal(ARGS);
    const address = await listeningAt(running);
    await using one = await silentServer();
    await using two = await silentServer(4);
    await one.send('I am one', address);
    await running.until('I am one\r\n');
    running.type('to one\r');
    expect(await one.collect(1)).toEqual([{ data: Buffer.from('to one'), from: address }]);
    await two.send('I am two', address);
    await running.until('I am two\r\n');
    running.type('to two\r\r');
    expect((await two.collect(2)).map(({ data }) => data.toString())).toEqual(['to two', '']);
    await one.send('one again', address);
    await running.until('one again\r\n');
    running.type('grüße\r');
    expect((await one.collect(2))[1]?.data.toString()).toBe('grüße');
    running.type('\x03');
    const { status, stdout } = await running.outcome;
    expect({ status, stdout: stdout.toString() }).toEqual({
      status: 0,
      stdout: expect.stringMatching(/3 received, 4 sent/),
    });
  });

  test('is lost with a warning before the first datagram', async () => {
    await using running = terminal(ARGS);
    const address = await listeningAt(running);
    running.type('hello?\r');
    await running.until('udpcat: warning: not sent: nobody has spoken yet\r\n');
    await using peer = await silentServer();
    await peer.send('I am', address);
    await running.until('I am\r\n');
    running.type('now\r');
    expect((await peer.collect(1))[0]?.data.toString()).toBe('now');
    running.type('\x03');
    expect((await running.outcome).status).toBe(0);
  });

  test('ends by Ctrl-D, and serve goes on', async () => {
    await using running = terminal(ARGS);
    const address = await listeningAt(running);
    await using peer = await silentServer();
    await peer.send('before', address);
    await running.until('before\r\n');
    running.type('last line\r\x04');
    await peer.collect(1);
    await peer.send('after', address);
    await running.until('after\r\n');
    running.type('\x03');
    expect((await running.outcome).status).toBe(0);
  });

  test('is read in the given encoding, and an invalid line is a warning', async () => {
    await using running = terminal([...ARGS, '-x']);
    const address = await listeningAt(running);
    await using peer = await silentServer();
    await peer.send('hello', address);
    await running.until('68656c6c6f\r\n');
    running.type('xyz\r');
    await running.until(/udpcat: warning: not sent: .*hex.*\r\n/);
    running.type('00 FF\r');
    expect((await peer.collect(1))[0]?.data).toEqual(Buffer.of(0x00, 0xff));
    running.type('\x03');
    expect((await running.outcome).status).toBe(0);
  });

  test('with -i says to whom it goes, and has line editing below the datagrams', async () => {
    await using running = terminal(['serve', '-i', '--no-color', '--no-meta', '--no-stats']);
    const address = await listeningAt(running);
    await running.until('Ctrl-D ends the typing\r\n');
    await running.until('> ');
    await using peer = await silentServer();
    await peer.send('first', address);
    await running.until('first\r\n');
    running.type('answ');
    await running.until('answ');
    await peer.send('second', address);
    await running.until(/second\r\n[^\n]*> answ/);
    running.type('er\r');
    expect((await peer.collect(1))[0]?.data.toString()).toBe('answer');
    running.type('\x03');
    const { stdout, status } = await running.outcome;
    expect(screen(stdout.toString())).toEqual([
      `udpcat: listening on ${address}`,
      'udpcat: each typed line goes to the peer that spoke last; Ctrl-D ends the typing',
      'first',
      'second',
      '> answer',
      '',
    ]);
    expect(status).toBe(0);
  });

  test('does nothing with --no-interactive', async () => {
    await using running = terminal([...ARGS, '--no-interactive']);
    const address = await listeningAt(running);
    await using peer = await silentServer();
    await peer.send('first', address);
    await running.until('first\r\n');
    running.type('typed\r');
    // The terminal echoes typed characters.
    await running.until('typed\r\n');
    await peer.send('second', address);
    await running.until('second\r\n');
    running.type('\x03');
    expect((await running.outcome).stdout.toString()).toMatch(/2 received, 0 sent/);
    expect(peer.received).toEqual([]);
  });
});

describe('serve with a pipe for its stdin', () => {
  testWithProc('does not read it', async () => {
    await using running = start(['serve', '--stats']);
    const address = await running.listening();
    await using peer = await silentServer();
    running.stdin.end('not for anybody\n');
    await peer.send('one', address);
    await running.until('one\n');
    await drained(address);
    running.kill('SIGTERM');
    expect((await running.outcome).stderr).toMatch(/1 received, 0 sent/);
    expect(peer.received).toEqual([]);
  });

  test('reads lines from it with -i, also a last one without a newline, and continues after its end', async () => {
    await using running = start(['serve', '-i']);
    const address = await running.listening();
    await using peer = await silentServer();
    running.stdin.write('too early\n');
    await running.until(/nobody has spoken yet\n/, 'stderr');
    await peer.send('one', address);
    await running.until('one\n');
    running.stdin.write('a\nb\r\n');
    expect((await peer.collect(2)).map(({ data }) => data.toString())).toEqual(['a', 'b']);
    running.stdin.end('c');
    expect((await peer.collect(3))[2]?.data.toString()).toBe('c');
    await peer.send('two', address);
    await running.until('two\n');
    running.kill('SIGINT');
    expect(await running.outcome).toMatchObject({ status: 0, stdout: Buffer.from('one\ntwo\n') });
  });

  testWithLinuxEngine('counts an answer to a client that has gone, and tells it with -v only', async () => {
    for (const { args, told } of [
      { args: [], told: false },
      { args: ['-v'], told: true },
    ]) {
      await using running = start(['serve', '-i', '-o', 'json', '--stats', '--engine', 'linux', ...args]);
      const address = await running.listening();
      {
        await using client = await silentServer();
        await client.send('one', address);
        await running.until('"data":"one"');
      }
      running.stdin.write('too late\n');
      await running.until('"code":"REFUSED"');
      running.kill('SIGTERM');
      const { stderr, stdout } = await running.outcome;
      expect(/127\.0\.0\.1:\d+ refused/.test(stderr)).toBe(told);
      expect(stderr).not.toContain('warning');
      expect(stderr).toMatch(/1 received, 1 sent, 1 answer refused in/);
      expect(stdout.toString()).toMatch(/"type":"summary".*"refused":1[,}]/);
    }
  });

  test('ends in time with -i though stdin stays open', async () => {
    await using running = start(['serve', '-i', '-c', '1']);
    await using peer = await silentServer();
    await peer.send('one', await running.listening());
    expect((await running.outcome).status).toBe(0);
  });
});

describeWith('script', 'udpcat serve & in an interactive shell', () => {
  testWith('bash', 'keeps running, prints datagrams, and does not read the terminal', async () => {
    await using running = terminal('exec bash --norc --noprofile -i', {
      env: { PS1: 'prompt> ', HISTFILE: undefined },
    });
    await running.until('prompt> ');
    const line = commandLine(['serve', '--no-color', '--no-meta']);
    running.type(`${line} &\r`);
    const address = await listeningAt(running);
    await using peer = await silentServer();
    await peer.send('hello', address);
    await running.until('hello\r\n');
    // The shell reads the typed line.
    running.type('echo typed "$((40 + 2))"\r');
    await running.until('typed 42\r\n');
    running.type('jobs\r');
    const [, state] = await running.until(/\[1\]\+?\s+(Running|Stopped)/);
    expect(state).toBe('Running');
    await peer.send('again', address);
    await running.until('again\r\n');
    expect(peer.received).toEqual([]);
    running.type('kill %1; wait %1; echo "status $?"; exit\r');
    await running.until('status 0\r\n');
    await running.outcome;
  });

  testWith('bash', 'keeps running under set -m, its stdin still the terminal', async () => {
    const out = join(folder, 'background');
    const script = `set -m; ${commandLine(['serve'])} >${quote(out)} & read -r; jobs; kill %1; wait %1; echo "status $?"`;
    await using running = terminal(`exec bash -c ${quote(script)}`);
    const address = await listeningAt(running);
    await using peer = await silentServer();
    await peer.send('hello', address);
    await drained(address);
    running.type('\r');
    await running.until(/Running/);
    await running.until('status 0\r\n');
    expect(readFileSync(out, 'utf8')).toBe('hello\n');
  });
});
