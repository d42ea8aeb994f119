import { copyFileSync, readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import type { CapturedDatagram } from '../../src/record/captured-datagram.js';
import { at, conversation, recordingOf, temporaryRecordings } from '../support/recordings.js';
import { jsonLines } from '../support/service.js';
import { arrivals, closedAddress, echoServer, hostAndPort, type Peer, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { commandLine, quote, shell } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');

const recordings = temporaryRecordings();

/** Time limit that ends a command that hangs. No test waits for it. */
const HANG = '4m';

/** Returns the summary: the last JSON line. */
const summaryOf = (stdout: Buffer): Record<string, unknown> => jsonLines(stdout).at(-1) ?? {};

/** Makes datagrams to port 53 of the server, each from another port of the client. */
function from(ports: readonly number[], said = (nth: number) => `m${nth}`): CapturedDatagram[] {
  return ports.map((port, nth) => ({ ...conversation([said(nth)])[0]!, source: at('client', 4, port) }));
}

/** Returns a number for the sender of each datagram that arrived. Equal numbers are equal ports. */
function senders(peer: Peer): number[] {
  const others = peer.received.filter(({ from }) => from !== peer.address);
  const known = [...new Set(others.map(({ from }) => from))];
  return others.map(({ from }) => known.indexOf(from));
}

describe('--replay -', () => {
  test.each(['pcap', 'jsonl'] as const)('reads a recording (%s) from stdin', async (format) => {
    await using server = await silentServer();
    const stdin = recordingOf(conversation(['a', '', 'c']), format);
    expect(await udpcat(['send', server.address, '--replay', '-'], { stdin })).toMatchObject({ status: 0, stderr: '' });
    expect(await arrivals(server)).toEqual(['a', '', 'c']);
  });

  test('sends datagrams while stdin is open, and ends when enough replies came', async () => {
    await using server = await echoServer();
    const args = ['send', server.address, '--replay', '-', '-n', '2', '-w', HANG, '-o', 'none'];
    await using running = start(args);
    const [first, second] = [conversation(['a']), conversation(['b'])];
    running.stdin.write(recordingOf(first));
    await server.collect(1);
    running.stdin.write(recordingOf(second).subarray(24));
    expect(await running.outcome).toMatchObject({
      status: 0,
      stderr: 'udpcat: enough replies came: the rest of the recording was not sent\n',
    });
    expect(await arrivals(server)).toEqual(['a', 'b']);
  });

  test('sends one-way what has come, while stdin is open and silent', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, '--replay', '-']);
    running.stdin.write(recordingOf(conversation(['a'])));
    await server.collect(1);
    running.stdin.end(recordingOf(conversation(['b'])).subarray(24));
    expect(await running.outcome).toMatchObject({ status: 0, stderr: '' });
    expect(await arrivals(server)).toEqual(['a', 'b']);
  });

  test('ends when the time of --duration is over, though stdin is still open', async () => {
    await using server = await silentServer();
    const args = ['send', server.address, '--replay', '-', '-c', '1', '--duration', '3s'];
    await using running = start(args);
    running.stdin.write(recordingOf(conversation(['a'])));
    expect(await running.outcome).toMatchObject({
      status: 0,
      stderr: 'udpcat: the time of --duration was over: the rest of the recording was not sent\n',
    });
    expect(await arrivals(server)).toEqual(['a']);
  });

  test('names stdin in errors if it is broken, empty, or has no datagram to send', async () => {
    const whole = recordingOf(conversation(['a', 'b']));
    const replay = (stdin: Uint8Array | string) => udpcat(['send', '127.0.0.1:9', '--replay', '-'], { stdin });
    expect((await replay(whole.subarray(0, -1))).stderr).toMatch(
      /^udpcat: cannot replay stdin: at byte \d+: [^\n]+\n$/,
    );
    expect(await replay('')).toMatchObject({ status: 1, stderr: 'udpcat: stdin holds no datagram to send\n' });
  });

  testWithShell('does not record onto the file that it reads', async () => {
    const path = recordings.record(conversation(['a']));
    const whole = readFileSync(path);
    const args = commandLine(['send', '127.0.0.1:9', '--replay', '-', '--record', path]);
    await using running = shell(`${args} < ${quote(path)}`);
    expect(await running.outcome).toMatchObject({
      status: 2,
      stderr: `udpcat: option '--record' would write to ${path}, which is stdin and is to be replayed: record to another file\n`,
    });
    expect(readFileSync(path).equals(whole)).toBe(true);
  });

  testWithShell('neither records onto a file of a row that it reads, nor removes it', async () => {
    await using server = await echoServer();
    const stem = recordings.path('row');
    const path = `${stem}.2020-02-29T080000.000001Z.pcap`;
    copyFileSync(recordings.record(conversation(['a', 'b'])), path);
    const whole = readFileSync(path);
    const row = ['--record', `${stem}.pcap`, '--rotate-size', '1', '--keep', '1'];
    const args = commandLine(['send', server.address, '--replay', '-', '--speed', 'max', ...row]);
    await using running = shell(`${args} < ${quote(path)}`);
    expect(await running.outcome).toMatchObject({ status: 0, stderr: '' });
    expect(await arrivals(server)).toEqual(['a', 'b']);
    expect(readFileSync(path).equals(whole)).toBe(true);
  });
});

testWithShell('--replay of a pipe whose writer stays ends when enough replies came', async () => {
  await using server = await echoServer();
  const pipe = recordings.path('pipe');
  const file = recordings.record(conversation(['a', 'b']));
  const args = commandLine(['send', server.address, '--replay', pipe, '-n', '2', '-w', HANG, '-o', 'none']);
  // The shell has the pipe open for writing until the command ends.
  const line = `mkfifo ${pipe}; exec 3<>${pipe}; cat ${file} >&3; ${args}; echo "status $?"`;
  await using running = shell(line);
  expect(String((await running.outcome).stdout)).toBe('status 0\n');
  expect(await arrivals(server)).toEqual(['a', 'b']);
});

describe('--file -', () => {
  test('sends stdin as one datagram, among other files', async () => {
    await using server = await silentServer();
    const file = recordings.write('file', 'txt');
    const args = ['send', server.address, '--file', file, '--file', '-'];
    expect(await udpcat(args, { stdin: 'one\ntwo\n' })).toMatchObject({ status: 0, stderr: '' });
    expect(await arrivals(server)).toEqual(['file', 'one\ntwo\n']);
  });

  test('is a usage error beyond the limit, and when it is given twice', async () => {
    const long = { stdin: Buffer.alloc(65_508) };
    expect(await udpcat(['send', '127.0.0.1:9', '--file', '-'], long)).toMatchObject({
      status: 2,
      stderr: "udpcat: option '--file': stdin is more than a datagram to that address can hold: the limit is 65507\n",
    });
    expect(await udpcat(['send', '127.0.0.1:9', '--file', '-', '--file', '-'])).toMatchObject({
      status: 2,
      stderr: "udpcat: option '--file': stdin can be read only once, and - is given more than once\n",
    });
  });
});

describe('repetition', () => {
  const path = recordings.record(conversation(['a', 'b'], 4, 1));

  test.each([
    ['--speed', 'max'],
    ['--rate', 'max'],
    ['--rate', '500/s'],
    ['--interval', '1ms'],
    ['--speed', '2'],
  ])('--count 3 sends the whole recording three times, with %s %s', async (...pace) => {
    await using server = await silentServer();
    const { status, stderr } = await udpcat(['send', server.address, '--replay', path, '-c', '3', ...pace]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(await arrivals(server)).toEqual(['a', 'b', 'a', 'b', 'a', 'b']);
  });

  test('counts datagrams that are not sent once, not in each repetition', async () => {
    await using server = await silentServer();
    const file = recordings.record(conversation(['a', '< b']));
    const args = ['send', server.address, '--replay', file, '-c', '3', '--rate', 'max', '-o', 'json'];
    const { status, stdout } = await udpcat(args);
    expect(status).toBe(0);
    expect(summaryOf(stdout)).toMatchObject({ sent: 3, notSent: [{ kind: 'answer', count: 1 }] });
  });

  test('--duration repeats the recording until the time is over, or enough replies came', async () => {
    await using server = await echoServer();
    const args = ['send', server.address, '--replay', path, '--duration', HANG, '--rate', '200/s'];
    const { status } = await udpcat([...args, '-n', '5', '-w', HANG, '-o', 'none']);
    expect(status).toBe(0);
    expect((await arrivals(server)).slice(0, 5)).toEqual(['a', 'b', 'a', 'b', 'a']);
  });

  test('--duration ends a recording that is longer, and says so', async () => {
    await using server = await silentServer();
    const file = recordings.record(conversation(['a', 'b'], 4, 3_600_000));
    const args = ['send', server.address, '--replay', file, '--duration', '3s'];
    expect(await udpcat(args)).toMatchObject({
      status: 0,
      stderr: 'udpcat: the time of --duration was over: the rest of the recording was not sent\n',
    });
    expect(await arrivals(server)).toEqual(['a']);
  });

  test('--rate and --interval replace the time of the recording', async () => {
    await using server = await silentServer();
    const file = recordings.record(conversation(['a', 'b', 'c'], 4, 3_600_000));
    for (const pace of [
      ['--rate', '100/s'],
      ['--interval', '10ms'],
    ]) {
      const log = recordings.path('jsonl');
      const args = ['send', server.address, '--replay', file, '--record', log, ...pace];
      expect(await udpcat(args)).toMatchObject({ status: 0, stderr: '' });
      const times = jsonLines(readFileSync(log)).map(({ time }) => Date.parse(String(time)));
      expect(times).toHaveLength(3);
      // Times are exact to a millisecond here, and the first datagram may be late.
      expect(times[2]! - times[0]!).toBeGreaterThanOrEqual(10);
    }
    expect(await arrivals(server)).toEqual(['a', 'b', 'c', 'a', 'b', 'c']);
  });

  test('--expect-replay waits for the expected replies of every repetition', async () => {
    await using server = await echoServer();
    const file = recordings.record(conversation(['a', '< a', 'b', '< b']));
    const args = ['send', server.address, '--replay', file, '--expect-replay', '-c', '3', '--speed', 'max', '-w', HANG];
    const { status, stdout } = await udpcat([...args, '-o', 'json']);
    expect(jsonLines(stdout).find(({ type }) => type === 'verdict')).toMatchObject({ verdict: 'ok', replies: 6 });
    expect(status).toBe(0);
  });
});

describe('a long gap', () => {
  const path = recordings.record(conversation(['a', 'b'], 4, 7_383_000));

  test('is announced with the option that shortens it, and a signal still ends the run', async () => {
    await using server = await silentServer();
    await using running = start(['send', server.address, '--replay', path]);
    const [told] = await running.until(/.*\n/, 'stderr');
    expect(told).toBe(`udpcat: the next datagram of ${path} is due in 2h 3m; --speed shortens that\n`);
    running.kill('SIGTERM');
    expect(await running.outcome).toMatchObject({ signal: 'SIGTERM' });
    expect(await arrivals(server)).toEqual(['a']);
  });

  test('is not announced with --quiet', async () => {
    await using server = await silentServer();
    const args = ['send', server.address, '--replay', path, '--quiet'];
    await using running = start(args);
    await server.collect(1);
    running.kill('SIGTERM');
    expect(await running.outcome).toMatchObject({ signal: 'SIGTERM', stderr: '' });
  });
});

describe('--senders', () => {
  const path = recordings.record(from([4001, 4002, 4001, 4003]));

  test('by default uses one socket, and tells that there were several senders', async () => {
    await using server = await silentServer();
    expect(await udpcat(['send', server.address, '--replay', path])).toMatchObject({
      status: 0,
      stderr: `udpcat: the 3 senders of ${path} were replayed from one socket (--senders each gives each its own)\n`,
    });
    expect(await arrivals(server)).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(senders(server)).toEqual([0, 0, 0, 0]);
  });

  test.each([4, 6] as const)('each gives each sender a socket of its own, over IPv%d', async (family) => {
    await using server = await silentServer(family);
    const args = ['send', server.address, '--replay', path, '--senders', 'each', '-c', '2', '--rate', 'max'];
    expect(await udpcat(args)).toMatchObject({ status: 0, stderr: '' });
    expect((await arrivals(server)).length).toBe(8);
    // Datagrams of different sockets can overtake each other.
    const bySender = [0, 1, 2].map((sender) => {
      const sent = server.received.filter((_, nth) => senders(server)[nth] === sender);
      return sent.map(({ data }) => String(data)).join(' ');
    });
    expect(bySender.sort()).toEqual(['m0 m2 m0 m2', 'm1 m1', 'm3 m3']);
  });

  test('each hears the replies on all of them, and records them with their own address', async () => {
    await using server = await echoServer();
    const log = recordings.path('jsonl');
    const args = ['send', server.address, '--replay', path, '--senders', 'each', '-n', '4', '-w', HANG];
    const { status, stdout } = await udpcat([...args, '-o', 'json', '--record', log]);
    expect(status).toBe(0);
    expect(summaryOf(stdout)).toMatchObject({ sent: 4, received: 4, lost: 0 });
    const lines = jsonLines(readFileSync(log));
    const ends = (dir: string, end: string) => lines.filter((line) => line.dir === dir).map((line) => line[end]);
    expect(ends('out', 'from')).toEqual(server.received.map((received) => received.from));
    expect(ends('in', 'to').sort()).toEqual(server.received.map((received) => received.from).sort());
  });

  test('each compares replies with the recording', async () => {
    await using server = await echoServer();
    const [one, two] = from([4001, 4002]);
    const response = ({ source, destination, data, timeMs }: CapturedDatagram) => ({
      timeMs,
      source: destination,
      destination: source,
      data,
    });
    const file = recordings.record([one!, two!, response(one!), response(two!)]);
    const args = ['send', server.address, '--replay', file, '--senders', 'each', '--expect-replay', '-o', 'none'];
    expect(await udpcat([...args, '-w', HANG])).toMatchObject({ status: 0, stderr: '' });
  });

  test('each reports a refusal', async () => {
    const args = ['send', await closedAddress(), '--replay', path, '--senders', 'each', '-w', HANG];
    expect(await udpcat(args)).toMatchObject({ status: 4 });
  });

  test('each goes on to the next address of a name, with all senders', async () => {
    await using server = await silentServer();
    const { port } = hostAndPort(server.address);
    const args = ['send', `localhost:${port}`, '--replay', path, '--senders', 'each'];
    const { status } = await udpcat(args);
    expect(status).toBe(0);
    expect((await arrivals(server)).sort()).toEqual(['m0', 'm1', 'm2', 'm3']);
    expect(new Set(senders(server)).size).toBe(3);
  });

  test('each has room for 1024 senders, and names the next', async () => {
    await using server = await silentServer();
    const file = recordings.record(from(Array.from({ length: 1026 }, (_, nth) => 5000 + nth)));
    const args = ['send', server.address, '--replay', file, '--senders', 'each', '-o', 'json'];
    const { status, stdout, stderr } = await udpcat(args);
    expect(stderr).toBe(
      `udpcat: datagram 1025 of ${file} is from 192.0.2.7:6024, and 1024 senders have a socket each already: that is the limit of --senders each; --replay-filter 'src ADDRESS' takes fewer\n`,
    );
    expect(status).toBe(1);
    expect(summaryOf(stdout)).toMatchObject({ sent: 1024 });
  });
});

describe('datagrams that are not sent', () => {
  const to = (port: number) => ({ destination: at('server', 4, port) });

  test('are listed by receiver, the most first, and as JSON', async () => {
    await using server = await silentServer();
    const [said] = conversation(['a']);
    const many = [60, 61, 61, 62, 62, 62, 63, 64, 65, 66].map((port) => ({ ...said!, ...to(port) }));
    const path = recordings.record([...conversation(['a', '< b', '< c', 'd']), ...many]);
    const { stdout, stderr, status } = await udpcat(['send', server.address, '--replay', path, '-o', 'json']);
    const host = '192.0.2.53';
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `udpcat: warning: not sent of ${path}: 2 answers, 3 to ${host}:62, 2 to ${host}:61, 1 to ${host}:60, 1 to ${host}:63, 1 to ${host}:64, 2 to others; to send them: --replay-filter 'dst ${host}:62', or all\n`,
    });
    expect(summaryOf(stdout).notSent).toEqual([
      { kind: 'answer', count: 2 },
      ...[[62, 3], [61, 2], ...[60, 63, 64, 65, 66].map((port) => [port, 1])].map(([port, count]) => ({
        kind: 'other receiver',
        to: `${host}:${port}`,
        count,
      })),
    ]);
    expect(await arrivals(server)).toEqual(['a', 'd']);
  });

  test.each(['fe80::1', '::', 'ff02::fb', '255.255.255.255'])(
    'are sent with the filter that the message shows, also to %s',
    async (address) => {
      await using server = await silentServer();
      const [said] = conversation(['other']);
      const path = recordings.record(
        [
          ...conversation(['a'], address.includes(':') ? 6 : 4),
          {
            ...said!,
            source: { address: address === '255.255.255.255' ? '10.0.0.1' : '2001:db8::1', port: 9 },
            destination: { address, port: 67 },
          },
        ],
        'jsonl',
      );
      const { stderr } = await udpcat(['send', server.address, '--replay', path]);
      const [, filter = ''] = /--replay-filter '([^']+)'/.exec(stderr) ?? [];
      const again = await udpcat(['send', server.address, '--replay', path, '--replay-filter', filter]);
      expect(again).toMatchObject({ status: 0 });
      expect(await arrivals(server)).toEqual(['a', 'other']);
    },
  );

  test('do not exist with --replay-filter all', async () => {
    await using server = await silentServer();
    const path = recordings.record([...conversation(['a', '< b']), { ...conversation(['c'])[0]!, ...to(60) }]);
    const args = ['send', server.address, '--replay', path, '--replay-filter', 'all', '-o', 'json'];
    const { status, stdout } = await udpcat(args);
    expect(status).toBe(0);
    expect(summaryOf(stdout)).not.toHaveProperty('notSent');
    expect(await arrivals(server)).toEqual(['a', 'b', 'c']);
  });

  test('are listed before the error of a recording that breaks off', async () => {
    await using server = await silentServer();
    const whole = recordingOf([
      ...conversation(['a']),
      { ...conversation(['b'])[0]!, ...to(60) },
      ...conversation(['c']),
    ]);
    const path = recordings.write(whole.subarray(0, -1), 'pcap');
    const { status, stderr } = await udpcat(['send', server.address, '--replay', path]);
    expect(stderr).toMatch(/^udpcat: warning: not sent of .*: 1 to 192\.0\.2\.53:60; .*\nudpcat: cannot replay .*\n$/);
    expect(status).toBe(1);
    expect(await arrivals(server)).toEqual(['a']);
  });
});

describe('usage errors', () => {
  const pipe = '/dev/stdin';

  test.each([
    [['--speed', '2', '--rate', '5/s'], "options '--speed' and '--rate' both say when the next datagram is sent"],
    [['--speed', '2', '--interval', '1s'], "options '--speed' and '--interval' both say when"],
    [['--rate', '5/s', '--interval', '1s'], "options '--rate' and '--interval' both say when"],
    [['--retry', '2'], "option '--retry' is for one message and one reply, but a recording holds many: leave it out"],
    [['--expect-replay', '-n', '3'], 'leave out -n'],
    [['--expect-replay', '--duration', '3s'], 'leave out --duration'],
    [['--expect-replay', '--replay-filter', 'all'], 'no answer is left for --expect-replay'],
    [['--senders', 'each', '-b', '5000'], 'give --bind an address without a port'],
    [['--senders', 'each', '--join', '239.1.2.3'], 'leave out --join'],
    [['--senders', 'all'], 'It is one of one, each.'],
    [['--frame', 'lines'], 'messages come from one source only, not from --replay and --frame, which cuts stdin'],
    [['--file', '-'], 'messages come from one source only, not from --file and --replay'],
  ])('%j', async (args, message) => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', '--replay', 'x.pcap', ...args]);
    expect(stderr).toContain(message);
    expect(status).toBe(2);
  });

  testWithShell.each([
    ['-', ['-c', '2'], "option '--count' repeats the recording, and stdin can be read only once: save it to a file"],
    [
      '-',
      ['--duration', '2s'],
      "option '--duration' repeats the recording, and stdin can be read only once: save it to a file, or add --count 1",
    ],
    [
      pipe,
      ['-c', '2'],
      `option '--count' repeats the recording, and ${pipe}, a pipe, can be read only once: save it to a file`,
    ],
  ])('%s cannot be read again: %j', async (replay, args, message) => {
    const line = commandLine(['send', '127.0.0.1:9', '--replay', replay, ...args]);
    await using running = shell(`echo | ${line}`);
    expect(await running.outcome).toMatchObject({ status: 2, stderr: `udpcat: ${message}\n` });
  });

  test('--senders without --replay', async () => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', 'x', '--senders', 'each']);
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr: "udpcat: option '--senders' is about a recording: add --replay\n",
    });
  });
});
