import { describe, expect, test } from '@jest/globals';
import { describeLinuxEngine } from '../support/engines.js';
import { testInNamespaces } from '../support/namespaces.js';
import { Network } from '../support/network.js';
import {
  answeringServer,
  closedAddress,
  closedPort,
  echoServer,
  type Family,
  silentServer,
  strayServer,
  written,
} from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { type Outcome } from '../support/udpcat.js';

/** A wait that runs out. It is long enough for a reply on a busy machine. These tests run side by side. */
const SHORT = '3s';
/** A limit that no test reaches. */
const LONG = '1h';

function shown({ status, stdout }: Outcome): { status: number | null; stdout: string } {
  return { status, stdout: stdout.toString() };
}

describe.each([4, 6] as const)('over IPv%d the verdict is', (family) => {
  sideBySide('0 when the reply comes', async () => {
    await using server = await echoServer(family);
    const outcome = await udpcat(['send', server.address, 'ping', '-w', LONG]);
    expect({ ...shown(outcome), stderr: outcome.stderr }).toEqual({ status: 0, stdout: 'ping\n', stderr: '' });
  });

  sideBySide('3 when none comes', async () => {
    await using server = await silentServer(family);
    const outcome = await udpcat(['send', server.address, 'ping', '-w', SHORT]);
    expect(outcome.stderr).toBe(`udpcat: ${server.address} did not answer within 3s\n`);
    expect(shown(outcome)).toEqual({ status: 3, stdout: '' });
  });

  sideBySide('4 when it is refused, without waiting any longer', async () => {
    const address = await closedAddress(family);
    const outcome = await udpcat(['send', address, 'ping', '-w', '1h']);
    expect(outcome.stderr).toBe(`udpcat: ${address} refused: nobody listens there, or a firewall prohibits it\n`);
    expect(shown(outcome)).toEqual({ status: 4, stdout: '' });
  });

  sideBySide('5 when the reply does not match, and the reply is written', async () => {
    await using server = await answeringServer(['NOPE'], family);
    const outcome = await udpcat(['send', server.address, 'ping', '--expect', 'OK', '-w', SHORT]);
    expect(outcome.stderr).toBe(`udpcat: the reply from ${server.address} does not contain "OK"\n`);
    expect(shown(outcome)).toEqual({ status: 5, stdout: 'NOPE\n' });
  });

  sideBySide('6 when only another socket replies, and its bytes are not written', async () => {
    await using server = await strayServer(family);
    const outcome = await udpcat(['send', server.address, 'ping', '-w', SHORT]);
    expect(outcome.stderr).toBe(
      `udpcat: warning: ${server.strayAddress} sent 4 bytes, and is not the address asked: left out (--any-source)\n` +
        `udpcat: ${server.address} did not answer within 3s, but other addresses did (--any-source takes their replies)\n`,
    );
    expect(shown(outcome)).toEqual({ status: 6, stdout: '' });
  });

  sideBySide('2 when the command line is wrong', async () => {
    const outcome = await udpcat(['send', written(family === 4 ? '127.0.0.1' : '::1', 9), 'ping', '-w', 'soon']);
    expect(outcome.stderr).toMatch(/^udpcat: option '-w, --wait <d>' argument 'soon' is invalid\. A duration is .*\n$/);
    expect(shown(outcome)).toEqual({ status: 2, stdout: '' });
  });

  sideBySide('0 when a wrong reply is followed by the right one', async () => {
    await using server = await answeringServer(['NOPE', 'OK'], family);
    const outcome = await udpcat(['send', server.address, 'ping', '--expect', 'OK', '-w', LONG]);
    expect(shown(outcome)).toEqual({ status: 0, stdout: 'NOPE\nOK\n' });
  });

  sideBySide('0 when a stray is followed by the right one', async () => {
    await using server = await strayServer(family, 'stray');
    server.socket.on('message', (_data, from) => {
      server.socket.send('OK', from.port, from.address);
    });
    await using running = start(['send', server.address, '-w', LONG]);
    running.stdin.end('ping\n');
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'OK\n' });
  });

  sideBySide('3 when there are fewer replies than asked for', async () => {
    await using server = await answeringServer(['one', 'two'], family);
    const outcome = await udpcat(['send', server.address, 'ping', '-n', '3', '-w', SHORT]);
    expect(outcome.stderr).toBe(`udpcat: ${server.address} gave 2 of 3 replies within 3s\n`);
    expect(shown(outcome)).toEqual({ status: 3, stdout: 'one\ntwo\n' });
  });

  sideBySide('3 when there are fewer replies than asked for, and also strays', async () => {
    await using server = await strayServer(family, 'stray');
    server.socket.on('message', (_data, from) => {
      server.socket.send('one', from.port, from.address);
    });
    const outcome = await udpcat(['send', server.address, 'ping', '-n', '2', '-w', SHORT]);
    expect(shown(outcome)).toEqual({ status: 3, stdout: 'one\n' });
  });

  sideBySide('5 when as many replies came as asked for, and one is wrong', async () => {
    await using server = await answeringServer((_data, nth) => [nth === 0 ? 'OK' : 'NOPE'], family);
    const outcome = await udpcat(['send', server.address, 'a', 'b', '--expect', 'OK', '-w', SHORT]);
    expect(shown(outcome)).toEqual({ status: 5, stdout: 'OK\nNOPE\n' });
  });

  sideBySide('5 when a wrong reply is followed by a refusal', async () => {
    const outcome = await refusedAfter(family, ['NOPE'], ['--expect', 'OK']);
    expect(shown(outcome)).toEqual({ status: 5, stdout: 'NOPE\n' });
  });

  sideBySide('5 when a wrong reply comes along with a stray', async () => {
    await using server = await strayServer(family, 'OK');
    server.socket.on('message', (_data, from) => {
      server.socket.send('NOPE', from.port, from.address);
    });
    const outcome = await udpcat(['send', server.address, 'ping', '--expect', 'OK', '-w', SHORT]);
    expect(shown(outcome)).toEqual({ status: 5, stdout: 'NOPE\n' });
  });

  sideBySide('4 when the last message is refused, even if an earlier one got a reply', async () => {
    const outcome = await refusedAfter(family, ['one'], []);
    expect(shown(outcome)).toEqual({ status: 4, stdout: 'one\n' });
  });

  sideBySide('4 when a stray is followed by a refusal', async () => {
    const server = await strayServer(family);
    await using running = start(['send', server.address, '-w', LONG]);
    running.stdin.write('a\n');
    await running.until('is not the address asked', 'stderr');
    await server[Symbol.asyncDispose]();
    running.stdin.end('b\n');
    expect(shown(await running.outcome)).toEqual({ status: 4, stdout: '' });
  });

  sideBySide('0 when a refusal is followed by enough replies', async () => {
    const port = await closedPort(family);
    await using running = start([
      'send',
      written(family === 4 ? '127.0.0.1' : '::1', port),
      '-n',
      '2',
      '-v',
      '-w',
      LONG,
    ]);
    running.stdin.write('a\n');
    await running.until('refused', 'stderr');
    await using server = await answeringServer(['one', 'two'], family, port);
    running.stdin.end('b\n');
    expect(shown(await running.outcome)).toEqual({ status: 0, stdout: 'one\ntwo\n' });
    expect(server.received.map(({ data }) => data.toString())).toEqual(['b']);
  });

  sideBySide('3 when a refusal is followed by a message without a reply', async () => {
    const port = await closedPort(family);
    await using running = start(['send', written(family === 4 ? '127.0.0.1' : '::1', port), '-v', '-w', SHORT]);
    running.stdin.write('a\n');
    await running.until('refused', 'stderr');
    await using server = await silentServer(family, port);
    running.stdin.end('b\n');
    expect(shown(await running.outcome)).toEqual({ status: 3, stdout: '' });
    await server.collect(1);
  });
});

/** Sends two messages. The first gets a reply, and the server is closed before the second. */
async function refusedAfter(family: Family, answers: readonly string[], options: readonly string[]): Promise<Outcome> {
  const server = await answeringServer(answers, family);
  await using running = start(['send', server.address, '-w', LONG, ...options]);
  running.stdin.write('a\n');
  await running.until(answers.join('\n'));
  await server[Symbol.asyncDispose]();
  running.stdin.end('b\n');
  return await running.outcome;
}

test('of several messages the last one decides whether the verdict is refused', async () => {
  const outcome = await udpcat(['send', await closedAddress(), 'a', 'b', 'c', '-w', '1h']);
  expect(shown(outcome)).toEqual({ status: 4, stdout: '' });
});

describe('expectations', () => {
  const judged: readonly [title: string, status: number, answers: readonly (string | Uint8Array)[], args: string[]][] =
    [
      ['--expect holds anywhere in the reply', 0, ['is it OK?'], ['--expect', 'OK']],
      ['--expect "" holds for any reply, an empty one included', 0, [''], ['--expect', '']],
      ['several --expect must all hold', 5, ['OK'], ['--expect', 'OK', '--expect', 'ready']],
      ['several --expect may hold in any order', 0, ['ready OK'], ['--expect', 'OK', '--expect', 'ready']],
      ['two datagrams are never glued', 5, ['O', 'K'], ['--expect', 'OK', '-n', 'all']],
      ['expectations hold for one datagram, not for several', 5, ['a', 'b'], ['--expect', 'a', '--expect', 'b']],
      ['a NUL byte ends nothing', 0, ['\0OK'], ['--expect', 'OK']],
      ['--expect is found in bytes that are no UTF-8', 0, [Uint8Array.of(0xff, 0x4f, 0x4b)], ['--expect', 'OK']],
      ['--expect is read in -e hex', 0, [Uint8Array.of(1, 0xff, 2)], ['-e', 'hex', '--expect', 'FF 02']],
      ['?? is any byte', 0, [Uint8Array.of(9, 1, 7, 2, 9)], ['-e', 'hex', '--expect', '01??02']],
      ['?? is one byte', 5, [Uint8Array.of(1, 2)], ['-e', 'hex', '--expect', '01??02']],
      ['--expect is read in -e base64', 0, [Uint8Array.of(1, 0xff, 2)], ['-e', 'base64', '--expect', '/w==']],
      ['--expect is read in -e escaped', 0, ['a\r\n'], ['-e', 'escaped', '--expect', '\\r\\n']],
      ['--expect-exact is all of the reply', 0, ['OK'], ['--expect-exact', 'OK']],
      ['--expect-exact is no more than all of the reply', 5, ['OK\n'], ['--expect-exact', 'OK']],
      ['--expect-exact "" is an empty reply', 0, [''], ['--expect-exact', '']],
      ['--expect-exact "" is no other reply', 5, ['x'], ['--expect-exact', '']],
      ['--expect-exact takes ?? in hex', 0, [Uint8Array.of(1, 7)], ['-e', 'hex', '--expect-exact', '01 ??']],
      ['--expect-regex is found anywhere', 0, ['version 12 ok'], ['--expect-regex', '[0-9]+ ok']],
      ['--expect-regex can be anchored', 5, ['version 12'], ['--expect-regex', '^[0-9]+']],
      ['--expect-regex knows (?i)', 0, ['ReAdY'], ['--expect-regex', '(?i)^ready$']],
      ['--expect-regex knows (?s)', 0, ['a\nb'], ['--expect-regex', '(?s)^a.b$']],
      ['--expect-regex reads UTF-8', 0, ['größe'], ['--expect-regex', '^gr.ße$']],
      ['--expect-regex reads invalid bytes as replaced', 0, [Uint8Array.of(0xff)], ['--expect-regex', '^\\x{FFFD}$']],
      ['several --expect-regex must all hold', 5, ['a'], ['--expect-regex', 'a', '--expect-regex', 'b']],
      ['--expect-size n is exact', 0, ['12345'], ['--expect-size', '5']],
      ['--expect-size n is not more', 5, ['123456'], ['--expect-size', '5']],
      ['--expect-size 0 is an empty reply', 0, [''], ['--expect-size', '0']],
      ['--expect-size n.. is at least', 5, ['1234'], ['--expect-size', '5..']],
      ['--expect-size n.. has no upper bound', 0, ['x'.repeat(65_507)], ['--expect-size', '5..', '-o', 'none']],
      ['--expect-size ..m is at most', 5, ['123456'], ['--expect-size', '..5']],
      ['--expect-size ..m has no lower bound', 0, [''], ['--expect-size', '..5']],
      ['--expect-size n..m includes both bounds', 0, ['12', '1234'], ['--expect-size', '2..4', '-n', '2']],
      ['expectations of different kinds must all hold', 5, ['OK'], ['--expect', 'OK', '--expect-size', '3']],
    ];

  sideBySide.each(judged)('%s: status %d', async (_title, status, answers, args) => {
    await using server = await answeringServer(answers);
    // A run with status 0 ends before the wait is over: the wait can be long.
    const wait = status === 0 && !args.includes('all') ? LONG : SHORT;
    const hex = args.includes('hex') || args.includes('base64');
    const outcome = await udpcat(['send', server.address, ...args, '-w', wait, '--', hex ? '' : 'ping']);
    expect({ ...shown(outcome), stdout: '' }).toEqual({ status, stdout: '' });
  });

  const said: readonly [args: string[], reason: string][] = [
    [['--expect', 'OK'], 'does not contain "OK"'],
    [['--expect-exact', 'OK'], 'is not "OK"'],
    [['--expect-regex', '^O'], 'does not match "^O"'],
    [['--expect-size', '..3'], 'has 4 bytes, not 0..3'],
    [['-e', 'hex', '--expect', '4f4b'], 'does not contain "4f4b"'],
  ];

  sideBySide.each(said)('%j that fails is quoted as the user wrote it', async (args, reason) => {
    await using server = await answeringServer(['NOPE']);
    const { stderr } = await udpcat(['send', server.address, ...args, '-w', SHORT, '--', '']);
    expect(stderr).toBe(`udpcat: the reply from ${server.address} ${reason}\n`);
  });

  sideBySide('an expression that takes exponential time with other engines ends', async () => {
    await using server = await answeringServer([`${'a'.repeat(20_000)}!`]);
    const args = ['--expect-regex', '(a+)+$', '-o', 'none', '-w', SHORT];
    const outcome = await udpcat(['send', server.address, 'ping', ...args]);
    expect(shown(outcome)).toEqual({ status: 5, stdout: '' });
  });

  test.each([
    ['--expect-regex', '(', 'missing closing \\)'],
    ['--expect-regex', '(?=a)', 'invalid'],
    ['--expect-regex', '(a)\\1', 'invalid'],
    ['--expect-size', 'x', 'A size in bytes is 5, 5\\.\\., \\.\\.9 or 5\\.\\.9'],
    ['--expect-size', '..', 'A size in bytes is'],
    ['--expect-size', '9..5', 'A size in bytes is'],
    ['--expect-size', '-1', 'A size in bytes is'],
    ['--expect', '?0', 'hex digits come in pairs'],
    ['--expect-exact', '0', 'hex digits come in pairs'],
    ['-n', '0', 'a whole number from 1'],
    ['-n', 'some', 'a whole number from 1'],
    ['--retry', '0', 'a whole number from 1'],
  ])('%s %s is a usage error', async (option, value, message) => {
    await using server = await echoServer();
    const outcome = await udpcat([
      'send',
      server.address,
      '00',
      '-e',
      'hex',
      `${option}=${value}`.replace(/^-n=/, '-n'),
    ]);
    expect(outcome.stderr).toMatch(RegExp(`^udpcat: .*${option}.*${message}.*\n$`));
    expect(shown(outcome)).toEqual({ status: 2, stdout: '' });
    expect(server.received).toEqual([]);
  });
});

describeLinuxEngine('with the linux engine', () => {
  testInNamespaces(
    '4 says what a router told: host, network, or prohibited, and not of a port whether it is one',
    async () => {
      await using network = await Network.open();
      // A router sends only a few errors a second to one host.
      await network.run(
        'far',
        'echo 0 >/proc/sys/net/ipv4/icmp_ratelimit && echo 0 >/proc/sys/net/ipv6/icmp/ratelimit',
      );
      const routes = ['unreachable 10.9.11.0/24', 'prohibit 10.9.12.0/24', 'prohibit fd09:12::/64'];
      for (const route of routes) await network.run('far', `ip route add ${route}`);
      for (const via of ['10.9.8.2', 'fd09:8::2']) await network.run('near', `ip route add default via ${via}`);
      const told = [
        ['10.9.11.1:9', 'cannot be reached: the host is unreachable (EHOSTUNREACH), as 10.9.8.2 reports'],
        ['10.9.13.1:9', 'cannot be reached: its network is unreachable (ENETUNREACH), as 10.9.8.2 reports'],
        ['10.9.12.1:9', 'refused: it is administratively prohibited (EHOSTUNREACH), as 10.9.8.2 reports'],
        ['[fd09:12::1]:9', 'refused: it is administratively prohibited (EACCES), as fd09:8::2 reports'],
        ['10.9.10.4:9', 'refused: nobody listens there, or a firewall prohibits it'],
      ] as const;
      for (const [address, words] of told) {
        const { status, stderr } = await network.udpcat('near', [
          'send',
          address,
          'x',
          '-w',
          LONG,
          '--engine',
          'linux',
        ]);
        expect({ status, stderr }).toEqual({ status: 4, stderr: `udpcat: ${address} ${words}\n` });
      }
    },
  );
});
