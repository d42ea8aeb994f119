/** Command lines that udpcat accepts, but that probably mean something else: it warns, and does what was written. */
import { describe, expect, test } from '@jest/globals';
import { networkInterfaces } from 'node:os';
import { adviseShell } from '../../src/commands/options/responses.js';
import { runInProcess } from '../support/in-process.js';
import { silentServer } from '../support/sockets.js';

describe('a message that looks like an address', () => {
  test.each([
    { messages: ['127.0.0.1:9', 'text'], says: 'the message "127.0.0.1:9" looks like an address' },
    { messages: ['[::1]:9', 'text'], says: 'the message "[::1]:9" looks like an address' },
    { messages: ['localhost:9'], says: 'the message "localhost:9" looks like an address' },
    {
      messages: ['a.example:9', '192.0.2.1:9', 'x'],
      says: 'the messages "a.example:9", "192.0.2.1:9" look like addresses',
    },
  ])('is sent, with a warning: $messages', async ({ messages, says }) => {
    await using peer = await silentServer();
    const { stderr, ending } = await runInProcess(['send', peer.address, ...messages]);
    expect(stderr).toContain(`${says}, and ${peer.address} is the only receiver`);
    expect(ending).toBe(0);
    const received = await peer.collect(messages.length);
    expect(received.map(({ data }) => data.toString())).toEqual(messages);
  });

  test.each([
    { messages: ['hello'] },
    { messages: ['key:5'] },
    { messages: ['8000'] },
    { messages: ['hello', '127.0.0.1:9'] },
    { messages: ['12:30'] },
  ])('is not any other text: $messages', async ({ messages }) => {
    await using peer = await silentServer();
    const { stderr, ending } = await runInProcess(['send', peer.address, ...messages]);
    expect({ stderr, ending }).toEqual({ stderr: '', ending: 0 });
  });
});

describe('--exec without --shell', () => {
  test.each([
    ['a | b', '|'],
    ['a|b', '|'],
    ['a || b', '||'],
    ['a && b', '&&'],
    ['a; b', ';'],
    ['a > file', '>'],
    ['a < file', '<'],
    ['echo $UDPCAT_REMOTE_ADDR', '$U'],
    ['echo "${HOME}"', '${'],
    ['echo `date`', '`'],
  ])('warns of %s', (exec, sign) => {
    expect(adviseShell(exec, undefined)).toContain(`--exec: "${sign}" goes to the program as it is`);
    expect(adviseShell(exec, true)).toBeUndefined();
  });

  test.each([
    "grep 'a|b'",
    'grep "a;b"',
    'echo \\| \\$x',
    "echo '$x'",
    'cat',
    'awk {print}',
    'a & b',
    'echo $',
    "echo 'a' b",
  ])('does not warn of %s', (exec) => {
    expect(adviseShell(exec, undefined)).toBeUndefined();
  });

  test('is told for --on-change of watch as well', async () => {
    await using peer = await silentServer();
    const args = ['watch', peer.address, '--checks', '1', '--interval', '200ms', '--on-change', 'cat | cat'];
    const { stderr } = await runInProcess(args);
    expect(stderr).toContain(
      'warning: --on-change: "|" goes to the program as it is, because no shell runs; add --shell',
    );
  });

  test('warns before the program is looked for', async () => {
    const { stderr, ending } = await runInProcess(['serve', '--exec', 'no-such-program | cat']);
    expect(stderr).toMatch(/^udpcat: warning: --exec: "\|".*--shell.*\nudpcat: cannot run no-such-program: /);
    expect(ending).toBe(1);
  });
});

describe('an interface in place of an address', () => {
  const [name = '', [entry] = []] = Object.entries(networkInterfaces()).find(([, all]) => (all ?? []).length > 0) ?? [];
  const address = entry?.address ?? '';

  test.each([
    { args: ['serve', '-b', name], says: `option '-b, --bind': "${name}" is an interface; write one of its addresses` },
    { args: ['echo', `${name}:8000`], says: `"${name}" is an interface; write one of its addresses` },
    { args: ['send', '-b', name, '127.0.0.1:9', 'x'], says: `an address and --bind-device ${name}` },
    { args: ['serve', '--interface', address], says: `no interface "${address}"; write ${name}` },
    { args: ['serve', '--bind-device', address], says: `no interface "${address}"; write ${name}` },
    { args: ['serve', '*:0', '--join', `239.1.2.3%${address}`], says: `no interface "${address}"; write ${name}` },
    { args: ['serve', `[fe80::1%${address}]:0`], says: `no interface "${address}"; write ${name}` },
  ])('is a usage error with the remedy: $args', async ({ args, says }) => {
    const { stderr, ending } = await runInProcess(args);
    expect(ending).toBe(2);
    expect(stderr).toContain(says);
  });
});
