import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { describeWith } from '../support/peers.js';
import { screen } from '../support/screen.js';
import { answeringServer, arrivals, closedPort, echoServer, silentServer } from '../support/sockets.js';
import { commandLine, type Terminal, terminal, udpcat } from '../support/udpcat.js';

/** Ctrl-D at the beginning of a line. */
const END = '\x04';

const PROMPT = '> ';
const [UP, RIGHT, LEFT] = ['\x1b[A', '\x1b[C', '\x1b[D'];

/** Responds with other bytes than the request, because the terminal also shows the typed request. */
const loud = (data: Buffer): string[] => [data.toString().toUpperCase()];

function atTerminal(args: readonly string[]): Terminal {
  return terminal(args, { env: { NO_COLOR: '1' } });
}

describeWith('script', 'send at a terminal', () => {
  test('sends each line that is typed, shows the replies, and ends with 0', async () => {
    await using server = await answeringServer(loud);
    await using running = atTerminal(['send', server.address]);
    running.type('one\r');
    await running.until('ONE\r\n');
    running.type('two\r');
    await running.until('TWO\r\n');
    running.type(END);
    expect(await running.outcome).toMatchObject({ status: 0 });
    expect(await arrivals(server)).toEqual(['one', 'two']);
  });

  test.each([4, 6] as const)(
    'says over IPv%d with whom, and shows apart what is typed and what comes',
    async (family) => {
      await using server = await answeringServer(loud, family);
      await using running = atTerminal(['send', server.address]);
      await running.until('Ctrl-D ends\r\n');
      await running.until(PROMPT);
      running.type('one\r');
      await running.until(/ ms: ONE\r\n/);
      running.type(END);
      const rows = screen((await running.outcome).stdout.toString());
      expect(rows).toEqual([
        `udpcat: talking to ${server.address}; each line is one datagram; Ctrl-D ends`,
        '> one',
        expect.stringMatching(/^[\d.]+ ms: ONE$/),
        expect.stringMatching(/^udpcat: 1 received, 1 sent in/),
        '',
      ]);
    },
  );

  test('has a prompt in a colour of its own, which takes no room', async () => {
    await using server = await answeringServer(loud);
    await using running = terminal(['send', server.address]);
    // The cursor stands behind the two characters of the prompt.
    await running.until('\x1b[2m> \x1b[22m\x1b[3G');
    running.type('one\r');
    await running.until(/ms.*: ONE\r\n/);
    running.type(END);
    expect(screen((await running.outcome).stdout.toString())[1]).toBe('> one');
  });

  test('has line editing and the earlier lines', async () => {
    await using server = await answeringServer(loud);
    await using running = atTerminal(['send', server.address]);
    await running.until(PROMPT);
    running.type(`wrod${LEFT}\x7f${END}o${RIGHT}r${LEFT}${LEFT}\x7fo\r`);
    await server.collect(1);
    running.type(`${UP}!\r`);
    await server.collect(2);
    running.type(END);
    expect(await running.outcome).toMatchObject({ status: 0 });
    const [first = '', second] = await arrivals(server);
    expect(second).toBe(`${first}!`);
    expect(first).not.toBe('wrod');
  });

  test('keeps a line that is being typed whole and below a reply', async () => {
    await using server = await silentServer();
    await using running = atTerminal(['send', server.address]);
    await running.until(PROMPT);
    running.type('one\r');
    const [question] = await server.collect(1);
    running.type('half a li');
    await running.until('half a li');
    await server.send('reply', question?.from ?? '');
    // eslint-disable-next-line no-control-regex -- the line is drawn again
    await running.until(/reply\r\n[^\n]*> half a li\x1b\[\d+G/);
    running.type('ne\r');
    expect((await server.collect(2))[1]?.data.toString()).toBe('half a line');
    running.type(END);
    const rows = screen((await running.outcome).stdout.toString());
    expect(rows.slice(1, 4)).toEqual(['> one', expect.stringMatching(/^[\d.]+ ms: reply$/), '> half a line']);
  });

  test('ends by Ctrl-C as by the signal, and gives the terminal back', async () => {
    await using server = await silentServer();
    const line = commandLine(['send', server.address]);
    await using running = terminal(`trap : INT; ${line}; echo "status $?"; stty -a`, { env: { NO_COLOR: '1' } });
    await running.until(PROMPT);
    running.type('unfinished\x03');
    const { stdout } = await running.outcome;
    expect(stdout.toString()).toContain('status 130\r\n');
    expect(stdout.toString()).toMatch(/ icanon/);
    expect(await arrivals(server)).toEqual([]);
  });

  test('has no line editing on a terminal that cannot show it, and still sends each line', async () => {
    await using server = await answeringServer(loud);
    await using running = terminal(['send', server.address], { env: { TERM: 'dumb' } });
    await running.until('Ctrl-D ends\r\n');
    running.type('one\r');
    await running.until(/ ms: ONE\r\n/);
    running.type(END);
    const { stdout, status } = await running.outcome;
    expect(stdout.toString()).not.toContain('\x1b');
    expect(status).toBe(0);
  });

  test('writes replies alone to a file', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-typing-'));
    try {
      await using server = await answeringServer(loud);
      const file = join(folder, 'stdout');
      await using running = terminal(['send', server.address, '-n', '1'], { stdout: file });
      await running.until(PROMPT);
      running.type('one\r');
      expect(await running.outcome).toMatchObject({ status: 0 });
      expect(readFileSync(file, 'utf8')).toBe('ONE\n');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('shows a refusal as a line and goes on', async () => {
    const port = await closedPort();
    await using running = atTerminal(['send', String(port)]);
    running.type('one\r');
    await running.until(`udpcat: warning: 127.0.0.1:${port} refused: nobody listens there (ECONNREFUSED)\r\n`);
    await using server = await answeringServer(loud, 4, port);
    running.type('two\r');
    await running.until('TWO\r\n');
    running.type(END);
    expect(await running.outcome).toMatchObject({ status: 0 });
    expect(await arrivals(server)).toEqual(['two']);
  });

  test('ends with 0 after a refusal too', async () => {
    await using running = atTerminal(['send', String(await closedPort())]);
    running.type('one\r');
    await running.until('refused');
    running.type(END);
    expect(await running.outcome).toMatchObject({ status: 0 });
  });

  test.concurrent('waits for replies after the end of typing', async () => {
    await using server = await silentServer();
    await using running = atTerminal(['send', server.address, '-w', '1h', '-n', 'all', '--idle', '6s']);
    running.type('one\r');
    const [question] = await server.collect(1);
    running.type(END);
    await server.send('late', question?.from ?? '');
    await running.until('late\r\n');
    expect(await running.outcome).toMatchObject({ status: 0 });
  });

  test.concurrent('waits a second by default, and silence is no failure', async () => {
    await using server = await silentServer();
    await using running = atTerminal(['send', server.address]);
    running.type('one\r');
    await server.collect(1);
    const startMs = performance.now();
    running.type(END);
    const { status, stdout } = await running.outcome;
    expect(performance.now() - startMs).toBeGreaterThan(500);
    expect(stdout.toString()).not.toContain('did not answer');
    expect(status).toBe(0);
  });

  test('without a typed line ends with 0', async () => {
    await using server = await silentServer();
    await using running = atTerminal(['send', server.address]);
    running.type(END);
    expect(await running.outcome).toMatchObject({ status: 0 });
  });

  test('without a typed line, if replies were asked for, is status 1', async () => {
    await using server = await silentServer();
    await using running = atTerminal(['send', server.address, '-n', '1']);
    running.type(END);
    const { status, stdout } = await running.outcome;
    expect(stdout.toString()).toContain('udpcat: there was nothing to send');
    expect(status).toBe(1);
  });

  test('is judged with -n', async () => {
    await using server = await silentServer();
    await using running = atTerminal(['send', server.address, '-n', '1', '-w', '200ms']);
    running.type('one\r');
    await server.collect(1);
    running.type(END);
    const { status, stdout } = await running.outcome;
    expect(stdout.toString()).toContain(`${server.address} did not answer within 200ms`);
    expect(status).toBe(3);
  });

  test('is judged with --expect', async () => {
    await using server = await answeringServer(loud);
    await using running = atTerminal(['send', server.address, '--expect', 'TWO', '-w', '200ms']);
    running.type('one\r');
    await running.until('ONE\r\n');
    running.type(END);
    expect(await running.outcome).toMatchObject({ status: 5 });
  });

  test('ends by itself after the replies that -n asks for', async () => {
    await using server = await answeringServer(loud);
    await using running = atTerminal(['send', server.address, '-n', '2']);
    running.type('one\r');
    await running.until('ONE\r\n');
    running.type('two\r');
    const { status, stdout } = await running.outcome;
    expect(stdout.toString()).toContain('TWO\r\n');
    expect(status).toBe(0);
  });

  test('warns that a line which cannot be decoded was not sent, and goes on', async () => {
    await using server = await silentServer();
    await using running = atTerminal(['send', server.address, '-e', 'hex', '-w', '100ms']);
    running.type('zz\r');
    await running.until('udpcat: warning: not sent: "z" is not a hex digit');
    running.type('6f 6b\r');
    await server.collect(1);
    running.type(END);
    expect(await running.outcome).toMatchObject({ status: 0 });
    expect(await arrivals(server)).toEqual(['ok']);
  });

  test('escapes control characters of replies', async () => {
    await using server = await answeringServer(['\x1b[31mred\x07']);
    await using running = atTerminal(['send', server.address, '-w', '100ms']);
    running.type('one\r');
    await running.until('red');
    running.type(END);
    const { stdout } = await running.outcome;
    expect(stdout.toString()).toContain('\\x1b[31mred\\x07');
    expect(stdout.includes('\x1b[31mred')).toBe(false);
  });

  test('with arguments is not interactive', async () => {
    await using server = await answeringServer(loud);
    await using running = atTerminal(['send', server.address, 'one', '-n', '1']);
    expect(await running.outcome).toMatchObject({ status: 0 });
  });

  test('with --frame reads to the end as from a pipe', async () => {
    await using server = await silentServer();
    await using running = atTerminal(['send', server.address, '--frame', 'whole']);
    running.type('one\rtwo\r');
    running.type(END);
    expect(await running.outcome).toMatchObject({ status: 0 });
    expect(await arrivals(server)).toEqual(['one\ntwo\n']);
  });
});

describeWith('script', 'a one-way send at a terminal', () => {
  const NOTE = 'udpcat: sent, without waiting for a reply: -w 2s waits for one\r\n';

  test.each([4, 6] as const)('says over IPv%d that it did not wait, and how to wait', async (family) => {
    await using server = await silentServer(family);
    await using running = atTerminal(['send', server.address, 'one']);
    const { stdout, status } = await running.outcome;
    expect(stdout.toString()).toMatch(RegExp(`^${NOTE}udpcat: 0 received, 1 sent in`));
    expect(status).toBe(0);
  });

  test.each([
    ['-w 0', ['one', '-w', '0']],
    ['--quiet', ['one', '--quiet']],
    ['a wait', ['one', '-n', '1']],
    ['a probe that nothing answers', ['--probe', 'statsd:a']],
    ['the exit status of another program', ['one', '--exit-code', 'nagios']],
  ])('says nothing with %s', async (_title, args) => {
    await using server = await answeringServer(loud);
    await using running = atTerminal(['send', server.address, ...args]);
    const { stdout, status } = await running.outcome;
    expect(stdout.toString()).not.toContain('without waiting');
    expect(status).toBe(0);
  });

  test('says nothing where stderr is no terminal', async () => {
    await using server = await silentServer();
    const { stderr, status } = await udpcat(['send', server.address, 'one', '--stats']);
    expect(stderr).toMatch(/^udpcat: 0 received, 1 sent in \S+ s\n$/);
    expect(status).toBe(0);
  });
});

describeWith('script', 'a reply at a terminal', () => {
  test.each([
    ['utf8', [], /^[\d.]+ ms: ONE$/],
    ['utf8 and --meta', ['--meta'], /^\S+Z \S+ > \S+ 3 bytes, [\d.]+ ms: ONE$/],
    ['utf8 and --no-meta', ['--no-meta'], /^ONE$/],
    ['hex', ['-o', 'hex'], /^[\d.]+ ms: 4f4e45$/],
    ['dump', ['-o', 'dump'], /^\S+Z \S+ > \S+ 3 bytes, [\d.]+ ms$/],
    ['json', ['-o', 'json'], /^\{"v":1,"type":"datagram",.*"data":"ONE"\}$/],
  ])('has its round-trip time with %s', async (_title, args, expected) => {
    await using server = await answeringServer(loud);
    await using running = atTerminal(['send', server.address, 'one', '-w', '1h', '--no-stats', ...args]);
    const [first] = screen((await running.outcome).stdout.toString());
    expect(first).toMatch(expected);
  });

  test('has the time from its own request, if there are several', async () => {
    await using server = await echoServer();
    const args = [
      'send',
      server.address,
      'x',
      '-c',
      '2',
      '--interval',
      '700ms',
      '-w',
      '1h',
      '--no-stats',
      '-o',
      'utf8',
    ];
    await using running = atTerminal([...args, '--log-level', 'error']);
    const rows = screen((await running.outcome).stdout.toString());
    expect(rows).toEqual([expect.stringMatching(/^[\d.]+ ms: x$/), expect.stringMatching(/^[\d.]+ ms: x$/), '']);
  });
});

describeWith('script', 'the summary at a terminal', () => {
  test.concurrent.each([
    { count: 19, columns: 80, histogram: false },
    { count: 20, columns: 120, histogram: true },
  ])('of $count round trips fits 80 columns; has a histogram: $histogram', async ({ count, columns, histogram }) => {
    await using server = await echoServer();
    const args = [
      'send',
      server.address,
      '--size',
      '200',
      '-c',
      String(count),
      '--rate',
      'max',
      '-w',
      '1h',
      '-o',
      'none',
    ];
    await using running = terminal(args, { columns, env: { NO_COLOR: '1' } });
    const { stdout, status } = await running.outcome;
    expect(status).toBe(0);
    const rows = screen(stdout.toString());
    expect(rows.join('\n')).toMatch(
      /round-trip time: min \S+, p50 \S+, p90 \S+,(.|\nudpcat: )* max \S+,(.|\nudpcat: )* jitter \S+ ms;\s(udpcat: )? *matched by content/,
    );
    expect(rows.filter((row) => row.length > 80)).toEqual([]);
    expect(rows.some((row) => /^udpcat: +[\d.]+ to +[\d.]+ ms +\d+ #/.test(row))).toBe(histogram);
  });
});
