import { describe, expect, test } from '@jest/globals';
import { jsonLines, logLines, sendAll } from '../support/service.js';
import { silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { shell, commandLine, type StartOptions } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

const ESC = '\x1b[';

/**
 * Runs serve for one datagram. The kernel grants a smaller buffer than asked for, which makes a warning. With the linux engine
 * root would get the whole buffer: so the node engine is used.
 */
async function said(args: readonly string[], options: StartOptions = {}): Promise<string[]> {
  await using running = start(['serve', '--engine', 'node', '-c', '1', '--recv-buffer', '1023Mi', ...args], options);
  await using peer = await silentServer();
  const [, address = ''] = await running.until(/listening on ([\d.]+:\d+)\D/, 'stderr');
  await peer.send('x', address);
  const outcome = await running.outcome;
  expect(outcome).toMatchObject({ status: 0, stdout: Buffer.from('x\n') });
  return logLines(outcome).map((line) => line.replace(/\d+\.\d+\.\d+\.\d+:\d+/, 'ADDRESS'));
}

const LISTENING = 'udpcat: listening on ADDRESS';
const WARNING: unknown = expect.stringMatching(/^udpcat: warning: --recv-buffer: the kernel granted/);
const SUMMARY: readonly unknown[] = [
  expect.stringMatching(/^udpcat: 1 received, 0 sent in \S+ s$/),
  expect.stringMatching(/^udpcat: from ADDRESS: 1 received, 1 byte, \S+Z$/),
];

describe('stderr of serve', () => {
  test.each([
    { args: [], lines: [WARNING, LISTENING] },
    { args: ['--stats'], lines: [WARNING, LISTENING, ...SUMMARY] },
    { args: ['--stats', '--no-stats'], lines: [WARNING, LISTENING] },
    { args: ['--quiet'], lines: [LISTENING] },
    { args: ['--quiet', '--stats'], lines: [LISTENING, ...SUMMARY] },
    { args: ['--log-level', 'error'], lines: [LISTENING] },
    { args: ['--log-level', 'warn'], lines: [WARNING, LISTENING] },
    { args: ['--log-level', 'info'], lines: [WARNING, LISTENING] },
  ])('has the lines that $args asks for', async ({ args, lines }) => {
    expect(await said(args)).toEqual(lines);
  });

  test.each([['-v'], ['--verbose'], ['--log-level', 'debug']])('has all lines with %s', async (...args) => {
    expect(await said(args)).toEqual(expect.arrayContaining([WARNING, LISTENING]));
  });

  test('has errors also with --quiet', async () => {
    expect(logLines(await udpcat(['serve', '192.0.2.1:0', '--quiet']))).toHaveLength(1);
  });

  test('has no stack trace', async () => {
    expect(logLines(await udpcat(['serve', '192.0.2.1:0']))).toEqual([expect.not.stringMatching(/\bat .*:\d+/)]);
  });

  test('has with -v a line for each datagram to the peer that spoke last', async () => {
    await using running = start(['serve', '-v', '-i']);
    await using peer = await silentServer();
    await peer.send('x', await running.listening());
    await running.until('x\n');
    running.stdin.write('hello\n');
    await running.until(`udpcat: sent 5 bytes to ${peer.address}\n`, 'stderr');
  });

  testWithShell('does not end the command after its reader has closed it', async () => {
    const serve = commandLine(['serve', '--stats', '-c', '1']);
    // The pipe carries stderr here. head reads the listening line, and closes the pipe.
    const line = `exec 3>&1; ${serve} 2>&1 >&3 3>&- | head -1 >&2; echo "status \${PIPESTATUS[0]}"`;
    await using running = shell(line, { program: 'bash' });
    await using peer = await silentServer();
    await peer.send('x', await running.listening());
    expect((await running.outcome).stdout.toString()).toBe('x\nstatus 0\n');
  });
});

describe('colour', () => {
  test.each([
    { args: [], env: {}, colored: false },
    { args: ['--color'], env: {}, colored: true },
    { args: ['--no-color'], env: { FORCE_COLOR: '1' }, colored: false },
    { args: ['--color'], env: { NO_COLOR: '1' }, colored: true },
    { args: [], env: { FORCE_COLOR: '1' }, colored: true },
    { args: [], env: { FORCE_COLOR: '3' }, colored: true },
    { args: [], env: { FORCE_COLOR: '0' }, colored: false },
    { args: [], env: { NO_COLOR: '', FORCE_COLOR: '1' }, colored: true },
  ])('in a pipe with $args and $env: $colored', async ({ args, env, colored }) => {
    expect((await said(args, { env })).join('').includes(ESC)).toBe(colored);
  });

  test('is only in the description of a datagram, never in its bytes', async () => {
    for (const format of ['utf8', 'hex', 'base64', 'raw', 'json']) {
      const both = await Promise.all(
        ['--color', '--no-color'].map(async (color) => {
          await using running = start(['serve', color, '-o', format, '-c', '2']);
          await using peer = await silentServer();
          const [, address = ''] = await running.until(/listening on (\S+)\n/, 'stderr');
          await sendAll(peer, address, ['hello', 'world']);
          const { stdout } = await running.outcome;
          return format === 'json' ? jsonLines(stdout).length : stdout.toString();
        }),
      );
      expect(both[0]).toEqual(both[1]);
    }
    await using running = start(['serve', '--color', '--meta', '-c', '1']);
    await using peer = await silentServer();
    await peer.send('hello', await running.listening());
    expect((await running.outcome).stdout.toString()).toContain(ESC);
  });
});
