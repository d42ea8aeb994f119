import { describe, expect, test } from '@jest/globals';
import {
  answeringServer,
  closedAddress,
  echoServer,
  type Family,
  type Peer,
  silentServer,
  strayServer,
} from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { type Outcome } from '../support/udpcat.js';

/** The wait of situations in which no reply comes. */
const SHORT = '3s';
/** One time is longer than any reply takes here, the other one shorter. */
const [LONG, NONE] = ['1h', '0.001ms'];

function shown({ status, signal, stdout }: Outcome) {
  return { ending: status ?? signal, stdout: stdout.toString() };
}

/** A situation: the peer that is asked, and the options. */
interface Situation {
  readonly title: string;
  readonly open: (family: Family) => Promise<Peer | { readonly address: string }>;
  readonly args?: readonly string[];
  readonly docker: number;
  readonly nagios: number;
  readonly line: RegExp;
}

const refused = async (family: Family) => ({ address: await closedAddress(family) });
const RTT = String.raw`\| rtt=\d+(\.\d{1,3})?ms`;

const situations: readonly Situation[] = [
  {
    title: 'a reply',
    open: echoServer,
    docker: 0,
    nagios: 0,
    line: RegExp(String.raw`^UDPCAT OK - \S+ answered in [\d.]+ ms ${RTT};;;0\n$`),
  },
  {
    title: 'a reply in time',
    open: echoServer,
    args: ['--warn', LONG, '--critical', '2h'],
    docker: 0,
    nagios: 0,
    line: RegExp(`^UDPCAT OK - .* ${RTT};3600000;7200000;0\n$`),
  },
  {
    title: 'a reply slower than --warn',
    open: echoServer,
    args: ['--warn', NONE, '--critical', LONG],
    docker: 0,
    nagios: 1,
    line: RegExp(`^UDPCAT WARNING - .*, slower than 0\\.001ms ${RTT};0\\.001;3600000;0\n$`),
  },
  {
    title: 'a reply slower than --critical',
    open: echoServer,
    args: ['--critical', NONE],
    docker: 1,
    nagios: 2,
    line: RegExp(`^UDPCAT CRITICAL - .*, slower than 0\\.001ms ${RTT};;0\\.001;0\n$`),
  },
  {
    title: 'silence',
    open: silentServer,
    args: ['-w', SHORT, '--warn', '200ms', '--critical', '500ms'],
    docker: 1,
    nagios: 2,
    line: /^UDPCAT CRITICAL - \S+ did not answer within 3s \| rtt=U;200;500;0\n$/,
  },
  {
    title: 'a refusal',
    open: refused,
    docker: 1,
    nagios: 2,
    line: /^UDPCAT CRITICAL - \S+ refused: .* \| rtt=U;;;0\n$/,
  },
  {
    title: 'a wrong reply',
    open: (family) => answeringServer(['a | bar'], family),
    args: ['-w', SHORT, '--expect', '|nope|'],
    docker: 1,
    nagios: 2,
    line: /^UDPCAT CRITICAL - the reply from \S+ does not contain "\/nope\/" \| rtt=U;;;0\n$/,
  },
  {
    title: 'a stray reply',
    open: (family) => strayServer(family),
    args: ['-w', SHORT],
    docker: 1,
    nagios: 2,
    line: /^UDPCAT CRITICAL - \S+ did not answer within 3s, but other addresses did .* \| rtt=U;;;0\n$/,
  },
  {
    title: 'a file that is not there',
    open: silentServer,
    args: ['--file', '/nonexistent'],
    docker: 1,
    nagios: 3,
    line: /^UDPCAT UNKNOWN - cannot read \/nonexistent: .*\n$/,
  },
];

describe.each(situations)('$title', ({ open, args = [], docker, nagios, line }) => {
  const message = args.includes('--file') ? [] : ['ping'];

  sideBySide.each([4, 6] as const)('over IPv%d has the status of the given numbering', async (family) => {
    const peer = await open(family);
    const send = ['send', peer.address, ...message, '-n', '1', ...args];
    const [forDocker, forNagios] = await Promise.all([
      udpcat([...send, '-o', 'none', '--exit-code', 'docker']),
      udpcat([...send, '--exit-code', 'nagios']),
    ]);
    if (Symbol.asyncDispose in peer) await peer[Symbol.asyncDispose]();
    expect(shown(forDocker)).toEqual({ ending: docker, stdout: '' });
    expect(shown(forNagios)).toEqual({ ending: nagios, stdout: expect.stringMatching(line) });
  });
});

describe('a one-way send', () => {
  test('has no round-trip time', async () => {
    await using server = await silentServer();
    const outcome = await udpcat(['send', server.address, 'hello', '--exit-code', 'nagios']);
    expect(shown(outcome)).toEqual({ ending: 0, stdout: `UDPCAT OK - sent 1 datagram to ${server.address}\n` });
  });
});

describe('a wrong command line has the status of the numbering, at any place of --exit-code', () => {
  const wrong: readonly (readonly [args: readonly string[], says: string])[] = [
    [['send', '--exit-code', 'NUMBERING', '127.0.0.1'], 'it has no port; write 127.0.0.1:PORT'],
    [['send', '127.0.0.1:9', 'ping', '-w', 'soon', '--exit-code=NUMBERING'], "'soon' is invalid"],
    [['send', '--exit-code', 'NUMBERING'], "missing required argument 'address'"],
    [['send', '127.0.0.1:9', '--bogus', '--exit-code', 'NUMBERING'], "unknown option '--bogus'"],
    [['sned', '127.0.0.1:9', '--exit-code', 'NUMBERING'], "unknown command 'sned'"],
    [['--exit-code', 'NUMBERING', 'send', '127.0.0.1:9'], "unknown option '--exit-code'"],
    [['send', '127.0.0.1:9', '--probe', 'dns', '--exit-code', 'NUMBERING'], 'it needs its argument "name"'],
    [['send', '127.0.0.1:9', 'x'.repeat(65_508), '--exit-code', 'NUMBERING'], 'the limit is 65507'],
  ];
  const asked = (args: readonly string[], numbering: string) =>
    udpcat(args.map((word) => word.replace('NUMBERING', numbering)));

  test.each(wrong)('%j', async (args, says) => {
    const docker = await asked(args, 'docker');
    expect(shown(docker)).toEqual({ ending: 1, stdout: '' });
    expect(docker.stderr).toContain(says);
    const nagios = await asked(args, 'nagios');
    expect(shown(nagios)).toEqual({ ending: 3, stdout: expect.stringMatching(/^UDPCAT UNKNOWN - [^\n|]*\n$/) });
    expect(nagios.stdout.toString()).toContain(says);
    expect(await asked(args, 'udpcat')).toMatchObject({ status: 2 });
  });

  test('but not after --, where words are messages', async () => {
    const outcome = await udpcat(['send', 'nowhere', '--', '--exit-code', 'nagios']);
    expect(shown(outcome)).toEqual({ ending: 2, stdout: '' });
  });

  test('and an unknown numbering is a usage error itself', async () => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', 'x', '--exit-code', 'zabbix']);
    expect(stderr).toContain("argument 'zabbix' is invalid. It is one of udpcat, docker, nagios.");
    expect(status).toBe(2);
  });
});

describe('a signal', () => {
  test.each([
    ['docker', 1, ''],
    ['nagios', 3, 'UDPCAT UNKNOWN - ended by SIGTERM | rtt=U;;;0\n'],
    ['udpcat', 'SIGTERM', ''],
  ] as const)('ends the run as %s wants it', async (numbering, ending, stdout) => {
    await using server = await silentServer();
    const args = ['send', server.address, 'ping', '-n', '1', '-w', '1h', '--exit-code', numbering];
    await using running = start(args);
    await server.collect(1);
    running.kill('SIGTERM');
    expect(shown(await running.outcome)).toEqual({ ending, stdout });
  });
});

describe('limits of the round-trip time', () => {
  const ping = ['send', '127.0.0.1:9', 'ping'];
  // A plugin says nothing on stderr unless -v asks for it.
  const judged = [...ping, '-n', '1', '-v', '--exit-code', 'nagios'];
  test.each([
    [
      'without a numbering that has a status for them',
      [...ping, '-n', '1', '--warn', '1s'],
      '--exit-code docker or nagios',
    ],
    ['without a reply', [...ping, '--exit-code', 'docker', '--critical', '1s'], 'none is asked for: add -w'],
    ['in the wrong order', [...judged, '--warn', '2s', '--critical', '1s'], "'--critical' is shorter than --warn"],
    ['of no time', [...judged, '--warn', '0'], "'0' is invalid"],
    ['beside replies on stdout', [...judged, '-o', 'json'], 'either -o json or --exit-code nagios'],
  ])('are a usage error %s', async (_title, args, says) => {
    const { status, stderr } = await udpcat(args);
    expect(stderr).toContain(says);
    expect(stderr).toMatch(/^udpcat: [^\n]*\n$/);
    expect([1, 2, 3]).toContain(status);
  });

  test('make a warning on stderr with -v, if a reply is slower', async () => {
    await using server = await echoServer();
    const args = ['send', server.address, 'ping', '-n', '1', '--warn', NONE, '--exit-code', 'nagios'];
    expect((await udpcat(args)).stderr).toBe('');
    expect((await udpcat([...args, '-v'])).stderr).toMatch(
      /^udpcat: warning: the reply took [\d.]+ ms, slower than 0\.001ms$/m,
    );
  });
});
