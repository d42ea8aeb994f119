import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { describeWith } from '../support/peers.js';
import { screen } from '../support/screen.js';
import { sendAll } from '../support/service.js';
import { echoServer, silentServer } from '../support/sockets.js';
import { commandLine, type Terminal, terminal } from '../support/udpcat.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-live-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const listeningAt = async (running: Terminal): Promise<string> =>
  (await running.until(/listening on (\S+)\r\n/))[1] ?? '';

const LIVE = ['--stats', '--no-color', '--no-meta'];

describeWith('script', 'the live line', () => {
  test.each(['serve', 'echo'])(
    'of %s shows with --stats the number of datagrams, their rate and their peers, and is gone at the end',
    async (command) => {
      await using running = terminal([command, ...LIVE, '-o', 'none']);
      const address = await listeningAt(running);
      await using one = await silentServer();
      await using two = await silentServer();
      await sendAll(one, address, ['hello', 'world']);
      await sendAll(two, address, ['x']);
      await running.until(/3 received \([\d.]+\/s, \d+ B\/s\), 2 peers, 0 dropped/);
      // The rate is the mean of the last second.
      await running.until('3 received (0/s, 0 B/s), 2 peers, 0 dropped');
      running.type('\x03');
      const { stdout, status } = await running.outcome;
      expect(status).toBe(0);
      const shown = screen(stdout.toString());
      expect(shown.filter((row) => row.includes('dropped'))).toEqual([]);
      // Lines of the summary that are longer than 80 characters go on in the next row.
      const rows = shown.filter((row) => !row.startsWith('udpcat:   '));
      expect(rows).toEqual([
        `udpcat: listening on ${address}`,
        expect.stringMatching(/^udpcat: 3 received, \d sent in/),
        expect.stringMatching(/^udpcat: (sent .*; )?received [\d.,]+\/s, [\d.]+ [kMG]?bit\/s$/),
        expect.stringMatching(/^udpcat: from .*: 2 received/),
        expect.stringMatching(/^udpcat: from .*: 1 received/),
        '',
      ]);
    },
  );

  test('leaves the datagrams and the log on the same terminal readable', async () => {
    await using running = terminal(['serve', '--engine', 'node', ...LIVE, '-c', '400', '--recv-buffer', '1023Mi']);
    const address = await listeningAt(running);
    await using peer = await silentServer();
    const payloads = Array.from({ length: 400 }, (_, index) => `datagram ${index}`);
    for (const payload of payloads) {
      await peer.send(payload, address);
      if (payload.endsWith('00')) {
        // The line is shown, and is put aside for the next output.
        await running.until(`${payload}\r\n`);
        await running.until(RegExp(`${payload}\\r\\n[^]*peer, 0 dropped$`));
      }
    }
    const { stdout } = await running.outcome;
    const rows = screen(stdout.toString()).filter((row) => !row.startsWith('udpcat: '));
    expect(rows).toEqual([...payloads, '']);
    expect(stdout.toString()).toContain(' received (');
  });

  test('leaves JSON lines on the same terminal whole', async () => {
    await using running = terminal(['serve', ...LIVE, '-o', 'json']);
    const address = await listeningAt(running);
    await using peer = await silentServer();
    await sendAll(peer, address, ['a', 'b']);
    await running.until('2 received (');
    await peer.send('c', address);
    await running.until('3 received (');
    running.type('\x03');
    const rows = screen((await running.outcome).stdout.toString()).filter((row) => row.startsWith('{'));
    expect(rows.map((row) => (JSON.parse(row) as { type: string }).type)).toEqual([
      'listening',
      'datagram',
      'datagram',
      'datagram',
      'summary',
    ]);
  });

  test('stands below a report that a signal asked for, and is cut to the width of the terminal', async () => {
    const body = `exec ${commandLine(['serve', ...LIVE])}`;
    await using running = terminal(`sh -c 'echo pid $$; ${body}'`, { columns: 20 });
    const [, pid = ''] = await running.until(/pid (\d+)\r\n/);
    await running.until('\x1b[K0 received');
    process.kill(Number(pid), 'SIGUSR2');
    await running.until(/since the start\r\n\r\x1b\[K0 received/); // eslint-disable-line no-control-regex
    running.type('\x03');
    const { stdout } = await running.outcome;
    expect(stdout.toString()).not.toContain('peers');
    expect(screen(stdout.toString()).filter((row) => row.startsWith('0 received'))).toEqual([]);
  });

  const without: readonly { args: readonly string[]; why: string }[] = [
    { why: 'without --stats: a plain serve stays calm', args: ['--no-interactive'] },
    { why: 'with --quiet', args: ['--stats', '--quiet'] },
    { why: 'with --log-format json', args: ['--stats', '--log-format', 'json'] },
    { why: 'where the user wants to type', args: ['--stats', '-i'] },
    { why: 'with raw bytes, which end in no newline', args: ['--stats', '-o', 'raw', '--force'] },
  ];
  test.each(without)('is not there $why', async ({ args }) => {
    await using running = terminal(['serve', '--no-color', '--duration', '600ms', ...args]);
    const { stdout } = await running.outcome;
    // The sequence clears the row of a live line. Line editing clears by another one.
    expect(stdout.toString()).not.toContain('\x1b[K');
    expect(stdout.toString()).not.toContain('received (');
  });

  test('is not shown on a terminal that cannot show it, nor by a command in the background', async () => {
    await using dumb = terminal(['serve', '--duration', '600ms', '--stats'], { env: { TERM: 'dumb' } });
    expect((await dumb.outcome).stdout.toString()).not.toContain('\x1b');
    const serve = commandLine(['serve', '--duration', '600ms', '--stats', '--no-color']);
    await using background = terminal(`bash -ic '${serve} & wait'`);
    const { stdout } = await background.outcome;
    expect(stdout.toString()).toContain('0 received, 0 sent');
    expect(stdout.toString()).not.toContain('received (');
  });

  test('depends on stderr only: not shown if that is a file, shown if stdout is a file', async () => {
    const stderr = join(folder, 'stderr');
    await using quiet = terminal(['serve', '--stats', '--duration', '600ms'], { stderr });
    expect((await quiet.outcome).stdout.toString()).toBe('');
    expect(readFileSync(stderr, 'utf8')).toMatch(/^udpcat: listening on \S+\nudpcat: 0 received.*\n$/);
    const stdout = join(folder, 'stdout');
    await using live = terminal(['serve', ...LIVE, '-c', '2'], { stdout });
    const address = await listeningAt(live);
    await using peer = await silentServer();
    await peer.send('one', address);
    await live.until('1 of 2 received (');
    await peer.send('two', address);
    await live.outcome;
    expect(readFileSync(stdout, 'utf8')).toBe('one\ntwo\n');
  });

  test('does not delay the end', async () => {
    await using running = terminal(['serve', ...LIVE, '-c', '1']);
    await using peer = await silentServer();
    await peer.send('x', await listeningAt(running));
    expect((await running.outcome).status).toBe(0);
  });
});

/** Commands with a bar in their live line, and the beginning of its text. They run until they are told to end. */
const WITH_BAR = [
  { title: 'serve with --count', args: ['serve', '--stats', '-c', '2'], says: '1 of 2 received', bar: '█████░░░░░' },
  {
    title: 'echo with --duration',
    args: ['echo', '--stats', '--duration', '1h'],
    says: '1 received',
    bar: '░░░░░░░░░░',
  },
] as const;

describeWith('script', 'the bar of the live line', () => {
  const FULL = '\x1b[36m';
  const EMPTY = '\x1b[2m';

  test.each(WITH_BAR)('of $title has the colours of the text, and none with NO_COLOR and --no-color', async (row) => {
    await using peer = await silentServer();
    for (const [args, env] of [
      [[], {}],
      [['--no-color'], {}],
      [[], { NO_COLOR: '1' }],
    ] as const) {
      const isPlain = args.length > 0 || 'NO_COLOR' in env;
      await using running = terminal([...row.args, ...args, '-o', 'none'], { columns: 80, env });
      const address = await listeningAt(running);
      await peer.send('x', address);
      await running.until(row.says);
      running.type('\x03');
      const shown = (await running.outcome).stdout.toString();
      const line = shown.split('\x1b[K').find((text) => text.includes(row.says)) ?? '';
      const colors = line.match(/\x1b\[\d+m/g) ?? []; // eslint-disable-line no-control-regex
      if (isPlain) expect(colors).toEqual([]);
      else {
        // Foreground colours and dim, which look right on light and dark. No background.
        expect(colors).toEqual(expect.arrayContaining([FULL, EMPTY]));
        for (const color of colors) expect(['36', '39', '2', '22', '33']).toContain(/\d+/.exec(color)?.[0]);
      }
      expect(screen(line).join('')).toMatch(RegExp(`^${row.bar} ${row.says}`));
      expect(screen(shown).filter((text) => text.includes('░'))).toEqual([]);
    }
  });

  test.each([80, 40])('of send fits %d columns, and is full when everything was sent', async (columns) => {
    await using server = await silentServer();
    const args = ['send', server.address, 'x', '-c', '3', '--interval', '1s', '-w', '1h', '--no-color'];
    await using running = terminal(args, { columns });
    await running.until(/█░* [12] of 3 sent/);
    await running.until(/\x1b\[K█+ 3 of 3 sent, 0 s left/); // eslint-disable-line no-control-regex
    running.type('\x03');
    const shown = (await running.outcome).stdout.toString();
    const lines = shown.split(/[\r\n]+/).filter((text) => text.includes(' of 3 sent'));
    // The echo of Ctrl-C stands behind the last line.
    for (const line of lines) expect(screen(line).join('').length).toBeLessThan(columns);
  });

  test('is not there while the end is not known, nor on a terminal that cannot show it', async () => {
    await using endless = terminal(['serve', '--stats', '--no-color', '--idle', '1h'], { columns: 80 });
    await endless.until(/0 received .*dropped$/);
    endless.type('\x03');
    expect((await endless.outcome).stdout.toString()).not.toMatch(/[█░]/);
    await using dumb = terminal(['serve', '--stats', '--duration', '600ms'], { env: { TERM: 'dumb' } });
    const { stdout } = await dumb.outcome;
    expect(stdout.toString()).toContain('0 received');
    expect(stdout.toString()).not.toMatch(/[█░\x1b]/); // eslint-disable-line no-control-regex
  });
});

describeWith('tmux', 'at a terminal as people have it', () => {
  test('the live line is the last row, and the datagrams stand above it whole', async () => {
    const socket = join(folder, 'tmux');
    const tmux = (...args: string[]): string =>
      execFileSync('tmux', ['-S', socket, '-f', '/dev/null', ...args], { encoding: 'utf8' });
    /** Waits until the rows match. Returns the rows that are not empty. */
    const rows = async (pattern: RegExp): Promise<string[]> => {
      for (;;) {
        const shown = tmux('capture-pane', '-p').trimEnd();
        if (pattern.test(shown)) return shown.split('\n');
        await delay(20);
      }
    };
    tmux('new-session', '-d', '-x', '60', '-y', '12', `${commandLine(['serve', ...LIVE])}; echo ended; exec cat`);
    try {
      const [, address = ''] = /listening on (\S+)/.exec((await rows(/0 received \(.*dropped$/)).join('\n')) ?? [];
      await using peer = await silentServer();
      await sendAll(peer, address, ['one', 'two', 'x'.repeat(50)]);
      expect((await rows(/3 received \(.*dropped$/)).slice(0, 4)).toEqual([
        `udpcat: listening on ${address}`,
        'one',
        'two',
        'x'.repeat(50),
      ]);
      // More rows than the terminal has, so that it scrolls.
      await sendAll(
        peer,
        address,
        Array.from({ length: 30 }, (_, index) => `datagram ${index}`),
      );
      expect(await rows(/33 received \(.*dropped$/)).toEqual([
        ...Array.from({ length: 11 }, (_, index) => `datagram ${index + 19}`),
        expect.stringMatching(/^33 received/),
      ]);
      tmux('send-keys', 'C-c');
      expect((await rows(/ended/)).join('\n')).not.toContain('received (');
    } finally {
      tmux('kill-server');
    }
  });
});

describeWith('script', 'the live line of send', () => {
  test.concurrent.each([4, 6] as const)(
    'shows over IPv%d the progress and the time that is left, and is gone at the end',
    async (family) => {
      await using server = await echoServer(family);
      const args = ['send', server.address, 'x', '-c', '4', '--interval', '1s', '-w', '1h', '-o', 'none', '--no-color'];
      await using running = terminal(args);
      await running.until(/[123] of 4 sent, [123] s left, [123] received, [01] unanswered, median [\d.]+ ms/);
      const { stdout, status } = await running.outcome;
      expect(status).toBe(0);
      const rows = screen(stdout.toString());
      expect(rows.filter((row) => row.includes('of 4 sent'))).toEqual([]);
      expect(rows[0]).toMatch(/^udpcat: 4 received, 4 sent, 0 lost/);
      expect(rows[1]).toMatch(/^udpcat: sent .*bit\/s; received .*bit\/s$/);
      expect(rows[2]).toMatch(/^udpcat: round-trip time: min /);
    },
  );

  test.concurrent('shows the time that is left first, for narrow terminals', async () => {
    await using server = await echoServer();
    const args = ['send', server.address, 'x', '-c', '4', '--interval', '1s', '-w', '1h', '-o', 'none', '--no-color'];
    await using running = terminal(args, { columns: 30 });
    await running.until(/[123] of 4 sent, [123] s left/);
    expect((await running.outcome).status).toBe(0);
  });

  test.each([
    ['one datagram that is waited for', ['x', '-n', '1', '-w', '600ms']],
    ['--no-stats', ['x', '-c', '3', '--interval', '300ms', '--no-stats']],
    ['--quiet', ['x', '-c', '3', '--interval', '300ms', '--quiet']],
  ])('is not there with %s', async (_title, args) => {
    await using server = await silentServer();
    await using running = terminal(['send', server.address, ...args]);
    expect((await running.outcome).stdout.toString()).not.toMatch(/\d sent[^\n]* left|of 3 sent/);
  });
});
