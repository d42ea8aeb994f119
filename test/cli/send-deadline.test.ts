import { describe, expect, test } from '@jest/globals';
import { shellWithSilentResolver, startWithHosts, testInNamespaces } from '../support/namespaces.js';
import { arrivals, closedPort, echoServer, silentServer } from '../support/sockets.js';
import { commandLine, type Outcome, quote, shell, udpcat, unread } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

/** Much shorter than the two and a half minutes after which a silent resolver is given up. */
const PROMPTLY = { timeoutMs: 120_000 };

/** A deadline that runs out. The process is ready before: on a busy machine its start takes seconds. */
const COMES = '5s';

function shown({ status, stdout, stderr }: Outcome) {
  return { status, stdout: stdout.toString(), stderr };
}

describe('under a deadline, a resolver that never answers', () => {
  testInNamespaces.concurrent('ends the run in time, process and all', async () => {
    await using running = shellWithSilentResolver(
      `exec ${commandLine(['send', 'far.example:7000', 'ping', '--expect', 'pong', '--deadline', COMES])}`,
      PROMPTLY,
    );
    expect(shown(await running.outcome)).toEqual({
      status: 1,
      stdout: '',
      stderr: 'udpcat: the deadline of 5s came before far.example was resolved\n',
    });
  });

  testInNamespaces.concurrent('of the source address as well', async () => {
    const args = ['send', '127.0.0.1:7000', 'ping', '-b', 'far.example:0', '-n', '1', '--deadline', COMES];
    await using running = shellWithSilentResolver(`exec ${commandLine(args)}`, PROMPTLY);
    expect(await running.outcome).toMatchObject({ status: 1 });
  });

  testInNamespaces.concurrent('is an UNKNOWN to Nagios, with its one line', async () => {
    const args = ['send', 'far.example:53', '--probe', 'dns:example.com', '--deadline', COMES, '--exit-code', 'nagios'];
    await using running = shellWithSilentResolver(`exec ${commandLine(args)}`, PROMPTLY);
    expect(shown(await running.outcome)).toMatchObject({
      status: 3,
      stdout: 'UDPCAT UNKNOWN - the deadline of 5s came before far.example was resolved | rtt=U;;;0\n',
    });
  });

  testInNamespaces.concurrent('leaves nothing running behind', async () => {
    const send = commandLine(['send', 'left.example:7000', 'ping', '-n', '1', '--deadline', COMES]);
    await using running = shellWithSilentResolver(`${send}; ! pgrep -f ' left[.]example 0$'`, PROMPTLY);
    expect(await running.outcome).toMatchObject({ status: 0 });
  });

  testInNamespaces.concurrent('does not hold up SIGTERM', async () => {
    const args = ['send', 'held.example:7000', 'ping', '-n', '1', '--deadline', '1h'];
    const send = commandLine(args);
    await using running = shellWithSilentResolver(
      `{ ${send} & until pgrep -f ' held[.]example 0$' >/dev/null; do sleep 0.1; done; kill $!; wait $!; }`,
      PROMPTLY,
    );
    expect(await running.outcome).toMatchObject({ status: 143 });
  });

  testInNamespaces.concurrent('is not asked for localhost, nor for a literal', async () => {
    const echo = `${quote(process.execPath)} -e ${quote(`
      const socket = require('node:dgram').createSocket('udp4');
      socket.on('message', (data, from) => socket.send(data, from.port, from.address));
      socket.bind(7000, '127.0.0.1', () => console.log('ready'));`)}`;
    const sends = ['localhost:7000', '127.0.0.1:7000']
      .map((address) => commandLine(['send', address, `to ${address}`, '-n', '1', '--deadline', '60s']))
      .join(' && ');
    await using running = shellWithSilentResolver(
      `{ coproc ECHO { exec ${echo}; }; read -r _ <&"\${ECHO[0]}"; ${sends}; status=$?; kill "$ECHO_PID"; exit $status; }`,
      PROMPTLY,
    );
    expect(shown(await running.outcome)).toEqual({
      status: 0,
      stdout: 'to localhost:7000\nto 127.0.0.1:7000\n',
      stderr: '',
    });
  });
});

describe('under a deadline, a name', () => {
  testInNamespaces.concurrent('is found in /etc/hosts as without one', async () => {
    await using server = await echoServer();
    const args = ['send', `here.example:${server.port}`, 'ping', '--expect', 'ping', '--deadline', '1h'];
    await using running = startWithHosts('127.0.0.1 here.example\n', args);
    expect(await running.outcome).toMatchObject({ status: 0 });
  });

  testInNamespaces.concurrent('goes on to its next address when one refuses, and --explain says so', async () => {
    await using server = await echoServer(4);
    const args = ['send', `two.example:${server.port}`, 'ping', '--expect', 'ping', '--deadline', '1h', '--explain'];
    await using running = startWithHosts('::1 two.example\n127.0.0.1 two.example\n', args);
    const { status, stderr } = await running.outcome;
    expect(stderr).toMatch(/ms: two\.example is ::1, 127\.0\.0\.1/);
    expect(stderr).toContain(
      `[::1]:${server.port} refused: nobody listens there (ECONNREFUSED); trying ${server.address}`,
    );
    expect(status).toBe(0);
  });

  test('that cannot be found is the same failure as without one', async () => {
    const args = ['send', 'nowhere.invalid:7000', 'ping', '-n', '1'];
    const [without, under] = await Promise.all([udpcat(args), udpcat([...args, '--deadline', '1h'])]);
    expect(under.stderr).toMatch(/^udpcat: cannot resolve nowhere\.invalid: .+\n$/);
    expect(shown(under)).toEqual(shown(without));
  });

  test('of the loopback is tried at both of its addresses', async () => {
    await using server = await echoServer(4);
    const port = String(server.port);
    const args = ['ping', '--expect', 'ping', '--deadline', '1h', '-o', 'none'];
    for (const name of ['localhost', 'LOCALHOST.', 'app.localhost'])
      expect(await udpcat(['send', `${name}:${port}`, ...args])).toMatchObject({ status: 0, stderr: '' });
    expect(await udpcat(['send', `localhost:${port}`, '-6', ...args])).toMatchObject({ status: 4 });
  });
});

describe('the deadline holds', () => {
  testWithShell.concurrent('if nobody reads the pipe of a check for Nagios', async () => {
    await using server = await silentServer();
    const args = ['send', server.address, 'ping', '-n', '1', '-w', '1h', '--deadline', COMES, '--exit-code', 'nagios'];
    const line = `{ head -c 65536 /dev/zero; ${commandLine(args)}; echo "status $?" >&2; }`;
    await using running = shell(unread(line));
    await running.until('status 2', 'stderr');
  });

  test('and does not delay the report of a port that refuses', async () => {
    const port = await closedPort();
    const args = ['send', String(port), 'ping', '-n', '1', '--deadline', '1h'];
    expect(await udpcat(args)).toMatchObject({ status: 4 });
  });
});

describe('a deadline shorter than the start of the process', () => {
  test.each([
    ['udpcat', 1],
    ['docker', 1],
    ['nagios', 3],
  ] as const)('is a failure of this host to %s, and no verdict on the service', async (numbering, status) => {
    await using server = await echoServer();
    const args = ['send', server.address, 'ping', '-n', '1', '--deadline', '1ms', '--exit-code', numbering];
    const outcome = await udpcat(args);
    const says = 'the deadline of 1ms came before everything was sent';
    const plugin = numbering === 'nagios';
    expect(outcome.stderr).toBe(plugin ? '' : `udpcat: ${says}\n`);
    if (plugin) expect(outcome.stdout.toString()).toContain(says);
    expect(outcome.status).toBe(status);
    expect(await arrivals(server)).toEqual([]);
  });
});

describe('a stream that nobody reads does not delay the deadline:', () => {
  /** Replaces one of the streams by a full pipe, which stays open until the test ends. */
  const STUCK = {
    stdout: (run: string) => `exec 3>&1; ${unread(`{ head -c 65536 /dev/zero; ${run}; }`)}`,
    stderr: (run: string) => `exec 3>&1; ${unread(`{ head -c 65536 /dev/zero >&2; ${run}; } 2>&1 >/dev/null`)}`,
  };

  testWithShell.concurrent.each([
    ['a plugin line', 'stdout', ['-w', '300ms', '--exit-code', 'nagios'], 2],
    ['the plugin line of a mistyped command', 'stdout', ['--bogus', '--exit-code', 'nagios'], 3],
    ['an error line', 'stderr', ['-w', '300ms'], 3],
  ] as const)('%s', async (_title, stream, args, status) => {
    await using server = await silentServer();
    const run = `${commandLine(['send', server.address, 'ping', ...args, '--deadline', COMES])}; echo "status $?" >&3`;
    await using running = shell(STUCK[stream](run));
    await running.until(`status ${status}`);
  });
});

describe('a signal ends a run with a status, also during', () => {
  testWithShell('a read from a named pipe', async () => {
    const args = ['send', '127.0.0.1:9', '--exit-code', 'docker', '--file'];
    const line = `folder=$(mktemp -d); mkfifo "$folder/pipe"; ${commandLine(args)} "$folder/pipe" & exec 4>"$folder/pipe"
      kill $!; wait $!; status=$?; rm -r "$folder"; exit $status`;
    await using running = shell(line, { program: 'bash' });
    expect(shown(await running.outcome)).toMatchObject({ status: 1 });
  });

  testInNamespaces.concurrent('the look-up of a name', async () => {
    const send = commandLine(['send', 'far.example:7000', 'ping', '-n', '1', '--exit-code', 'nagios']);
    await using running = shellWithSilentResolver(
      `{ ${send} & until pgrep -f ' far[.]example 0$' >/dev/null; do sleep 0.1; done; kill $!; wait $!; }`,
      PROMPTLY,
    );
    expect(shown(await running.outcome)).toMatchObject({
      status: 3,
      stdout: 'UDPCAT UNKNOWN - ended by SIGTERM | rtt=U;;;0\n',
    });
  });
});
