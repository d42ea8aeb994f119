import { describe, expect, test } from '@jest/globals';
import { closedAddress } from '../support/sockets.js';
import { commandLine, shell, udpcat } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

describe('output that a full disk cannot take', () => {
  testWithShell.concurrent.each([
    [['--help']],
    [['--version']],
    [['send', '-h']],
    [['help', 'serve']],
    [['completion', 'bash']],
    [['send', '--probe', 'list']],
  ])('of %j is status 1, and one line says so', async (args) => {
    await using running = shell(`exec ${commandLine(args)} >/dev/full`);
    expect(await running.outcome).toMatchObject({
      status: 1,
      stderr: 'udpcat: cannot write to stdout: the disk is full (ENOSPC)\n',
    });
  });

  testWithShell.concurrent('is no success of a monitoring plugin either, and stderr stays empty', async () => {
    await using running = shell(
      `exec ${commandLine(['send', '127.0.0.1:9', 'x', '--exit-code', 'nagios'])} >/dev/full`,
    );
    const { status, stderr } = await running.outcome;
    expect(status).not.toBe(0);
    expect(stderr).toBe('');
  });
});

describe('stderr of a monitoring plugin', () => {
  const plugin = async (...args: readonly string[]) =>
    udpcat(['send', await closedAddress(), 'ping', '-n', '1', '--exit-code', 'nagios', ...args]);

  test.concurrent.each([
    ['a refusal', []],
    ['the summary', ['--stats']],
    ['warnings', ['--recv-buffer', '1G', '--engine', 'node', '--log-level', 'warn']],
    ['JSON', ['--log-format', 'json']],
    ['a usage error', ['--bogus']],
    ['a usage error of a value', ['-w', 'soon']],
  ])('is empty with %s', async (_title, args) => {
    const { stderr, stdout } = await plugin(...args);
    expect(stderr).toBe('');
    expect(stdout.toString()).toMatch(/^UDPCAT (CRITICAL|UNKNOWN) - [^\n]+\n$/);
  });

  test.concurrent.each([['-v'], ['--explain'], ['--log-level=debug']])('has the details with %s', async (option) => {
    expect((await plugin(option)).stderr).toContain('refused');
  });
});
