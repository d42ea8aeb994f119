import { createWriteStream, linkSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { formatEndpoint } from '../../src/net/index.js';
import { pcapHeader } from '../../src/record/formats/pcap-writer.js';
import { startCapture, testCapturing } from '../support/capturing.js';
import { fc, payloads } from '../support/property.js';
import { at, conversation, readRecording, temporaryRecordings } from '../support/recordings.js';
import { jsonLines } from '../support/service.js';
import { answeringServer, arrivals, echoServer, type Family, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { commandLine, quote, shell } from '../support/udpcat.js';
import { pcapRecord } from '../record/files.js';
import { sideBySideNeeding, testNeeding } from '../support/needs.js';

const testWithShell = testNeeding('shell');
const sideBySideWithShell = sideBySideNeeding('shell');

const recordings = temporaryRecordings();
const { folder } = recordings;
const recorded = recordings.record.bind(recordings);

describe.each(['pcap', 'jsonl'] as const)('--replay of %s', (format) => {
  test.each([4, 6] as const)('sends over IPv%d the datagrams to the receiver of the first one', async (family) => {
    const elsewhere = { ...conversation(['elsewhere'], family)[0]!, destination: at('server', family, 54) };
    const other = formatEndpoint(elsewhere.destination);
    const path = recorded([...conversation(['a', '< b', '', 'c'], family), elsewhere], format);
    await using server = await silentServer(family);
    const { status, stderr } = await udpcat(['send', server.address, '--replay', path]);
    expect({ status, stderr }).toEqual({
      status: 0,
      stderr: `udpcat: warning: not sent of ${path}: 1 answer, 1 to ${other}; to send them: --replay-filter 'dst ${other}', or all\n`,
    });
    expect(await arrivals(server)).toEqual(['a', '', 'c']);
  });

  test.each(['0.0.0.0', '::'])('takes %s and the other wildcard address for the same receiver', async (first) => {
    const heard = (text: string, family: Family, address: string) => ({
      ...conversation([text], family)[0]!,
      destination: { address, port: 53 },
    });
    const [four, six] = [heard('four', 4, '0.0.0.0'), heard('six', 6, '::')];
    const path = recorded(first === '::' ? [six, four] : [four, six], format);
    await using server = await silentServer();
    expect(await udpcat(['send', server.address, '--replay', path])).toMatchObject({
      status: 0,
      stderr: `udpcat: the 2 senders of ${path} were replayed from one socket (--senders each gives each its own)\n`,
    });
    expect((await arrivals(server)).sort()).toEqual(['four', 'six']);
  });

  test('sends any recorded sequence of datagrams unchanged', async () => {
    const sent = fc.sample(payloads, 300);
    const path = recordings.path(format);
    await using receiver = start(['serve', '127.0.0.1:0', '-c', '300', '-o', 'none', '--record', path]);
    await using sender = await silentServer();
    const address = await receiver.listening();
    for (const payload of sent) await sender.send(payload, address);
    expect(await receiver.outcome).toMatchObject({ status: 0 });
    await using again = await silentServer();
    expect(await udpcat(['send', again.address, '--replay', path, '--speed', 'max'])).toMatchObject({ status: 0 });
    expect(await arrivals(again)).toEqual(sent.map((payload) => Buffer.from(payload).toString('latin1')));
  });

  sideBySide('keeps the time between datagrams, divided by --speed', async () => {
    const path = recorded(conversation(['a', 'b', 'c'], 4, 600), format);
    const inHours = recorded(conversation(['a', 'b', 'c'], 4, 3_600_000), format);
    const gaps = async (path: string, ...speed: readonly string[]) => {
      const log = recordings.path('jsonl');
      await using server = await silentServer();
      await udpcat(['send', server.address, '--replay', path, '--record', log, ...speed]);
      const times = (await readRecording(log)).map(({ timeMs }) => timeMs);
      return times.slice(1).map((time, index) => time - times[index]!);
    };
    const [whole, fast, fastest] = await Promise.all([
      gaps(path),
      gaps(inHours, '--speed', '6000'),
      gaps(inHours, '--speed', 'max'),
    ]);
    // Those that are to take 1200 ms take less where the first leaves late; two hours would end by the limit of the
    // test.
    for (const gap of [whole, fast, fastest]) expect(gap).toHaveLength(2);
    for (const [first, second] of [whole, fast]) expect(first! + second!).toBeGreaterThan(300);
  });
});

describe('--replay-filter', () => {
  const path = recorded(conversation(['q1', '< a1', 'q2', '< a2']));

  test.each([
    ['dst 192.0.2.53:53', ['q1', 'q2']],
    ['dst 192.0.2.53', ['q1', 'q2']],
    ['dst 53', ['q1', 'q2']],
    ['src 53', ['a1', 'a2']],
    ['src=192.0.2.53', ['a1', 'a2']],
    ['dst 192.0.2.7:4000', ['a1', 'a2']],
    ['src 4000', ['q1', 'q2']],
  ])('"%s" selects that side', async (filter, sent) => {
    await using server = await silentServer();
    expect(await udpcat(['send', server.address, '--replay', path, '--replay-filter', filter])).toMatchObject({
      status: 0,
    });
    expect(await arrivals(server)).toEqual(sent);
  });

  const [server, other] = ['192.0.2.53:53', '192.0.2.53:54'];

  test.each([
    ['src 53', ['q1', 'q2', '< a1', 'q3', '< a2'], '3 answers'],
    ['dst 4000', ['q1', '< a1'], '1 answer'],
    ['dst 54', ['q1', 'q2', '< a1', '> other', 'q3'], `3 to ${server}, 1 to 192.0.2.7:4000`],
    ['src 53', ['q1', '< a1', '> other'], `1 answer, 1 to ${other}`],
    ['src=4000', ['q1', '> other'], ''],
    ['all', ['q1', '< a1', '> other'], ''],
  ])('"%s" of %j tells of %j not sent, however late the first of its side is', async (filter, lines, notSent) => {
    const elsewhere = { destination: at('server', 4, 54) };
    const mixed = recorded(
      conversation(lines).map((said, nth) => (lines[nth]!.startsWith('> ') ? { ...said, ...elsewhere } : said)),
    );
    await using server = await silentServer();
    const { status, stderr } = await udpcat(['send', server.address, '--replay', mixed, '--replay-filter', filter]);
    const lost = stderr.split('\n').find((line) => line.includes('not sent'));
    const told = `udpcat: not sent of ${mixed}: ${notSent}; to send them: --replay-filter all`;
    expect({ status, lost }).toEqual({ status: 0, lost: notSent === '' ? undefined : told });
  });

  test('that selects nothing is an error that says so', async () => {
    await using server = await silentServer();
    const args = ['send', server.address, '--replay', path, '--replay-filter', 'dst 9'];
    expect(await udpcat(args)).toMatchObject({
      status: 1,
      stderr: `udpcat: ${path} holds no datagram that --replay-filter takes: it holds 4 datagrams: 2 to 192.0.2.53:53, 2 to 192.0.2.7:4000\n`,
    });
  });

  test.each(['53', 'dst', 'dst x', 'dst name:53', 'to 53', 'dst 99999', 'dst *:53', ''])(
    '"%s" is a usage error',
    async (text) => {
      const { status, stderr } = await udpcat(['send', '127.0.0.1:9', '--replay', path, '--replay-filter', text]);
      expect(stderr).toContain('A filter is "src" or "dst", and an address, a port or both, as in "dst 192.0.2.1:53".');
      expect(status).toBe(2);
    },
  );
});

describe('--expect-replay', () => {
  const path = recorded(conversation(['q1', '< a:q1', 'q2', '< a:q2', 'q3', '< a:q3']));
  /** How long the command waits for a reply that does not come. Other replies come sooner. */
  const SILENCE = ['-w', '3s'];
  const replay = (address: string, file = path, ...args: readonly string[]) =>
    udpcat([
      'send',
      address,
      '--replay',
      file,
      '--expect-replay',
      ...(args.includes('-w') ? [] : ['-w', '4m']),
      ...(args.includes('-o') ? [] : ['-o', 'none']),
      ...args,
    ]);

  sideBySide('is 0 if the replies are those of the recording', async () => {
    await using server = await answeringServer((data) => [`a:${data.toString()}`]);
    expect(await replay(server.address)).toMatchObject({ status: 0, stderr: '' });
  });

  sideBySide('is 0 at any speed, and in any order', async () => {
    const held: string[] = [];
    await using server = await answeringServer((data) => {
      held.push(`a:${data.toString()}`);
      return held.length === 3 ? held.toReversed() : [];
    });
    expect(await replay(server.address, path, '--speed', 'max')).toMatchObject({ status: 0 });
  });

  sideBySide('is 5 if a reply differs, and says which one', async () => {
    await using server = await answeringServer((data) => [data.toString() === 'q2' ? 'other' : `a:${data.toString()}`]);
    expect(await replay(server.address, path, ...SILENCE)).toMatchObject({
      status: 5,
      stderr: `udpcat: reply 2 differs from the recording (${server.address}); answer 2 of 3 did not come as recorded\n`,
    });
  });

  sideBySide('tells as JSON which replies differ, and which expected replies did not come', async () => {
    await using server = await answeringServer((data) => [data.toString() === 'q1' ? 'a:q1' : 'other']);
    const { status, stdout, stderr } = await replay(server.address, path, ...SILENCE, '-o', 'json');
    expect(jsonLines(stdout).find(({ type }) => type === 'verdict')).toMatchObject({
      verdict: 'mismatch',
      replies: 1,
      differs: { total: 2, numbers: [2, 3] },
      missing: { total: 2, numbers: [2, 3] },
    });
    expect({ status, stderr }).toEqual({
      status: 5,
      stderr: `udpcat: replies 2, 3 differ from the recording (${server.address}); answers 2, 3 of 3 did not come as recorded\n`,
    });
  });

  sideBySideWithShell.each([
    [4, 'matches when it is read', (line: string) => `a:${line}`, 0, { differs: 0, missing: 0 }],
    [6, 'matches when it is read', (line: string) => `a:${line}`, 0, { differs: 0, missing: 0 }],
    [
      4,
      'differs when there is none',
      (line: string) => (line === 'q2' ? 'other' : `a:${line}`),
      5,
      { differs: 1, missing: 1 },
    ],
  ] as const)(
    'over IPv%d, a reply that came before its expected reply was read %s',
    async (family, _title, respond, status, totals) => {
      await using server = await answeringServer((data) => [respond(data.toString())], family);
      const lines = ['q1', 'q2', 'q3'];
      const records = (texts: readonly string[]): Buffer =>
        Buffer.concat(conversation(texts, family).map((datagram) => Buffer.from(pcapRecord(datagram))));
      const pipe = recordings.path('pipe');
      const wait = status === 0 ? ['-w', '4m'] : SILENCE;
      const args = ['send', server.address, '--replay', pipe, '--expect-replay', ...wait, '-o', 'json'];
      await using running = shell(`mkfifo ${quote(pipe)} && echo made >&2 && exec ${commandLine(args)}`);
      await running.until('made', 'stderr');
      const recording = createWriteStream(pipe);
      recording.write(Buffer.concat([Buffer.from(pcapHeader()), records(lines)]));
      await running.until(/(?:"type":"datagram"[^]*){3}/);
      recording.end(records(lines.map((line) => `< a:${line}`)));
      const outcome = await running.outcome;
      expect(outcome.status).toBe(status);
      const events = jsonLines(outcome.stdout);
      expect(events.find(({ type }) => type === 'verdict')).toMatchObject({
        differs: { total: totals.differs },
        missing: { total: totals.missing },
        rttMs: expect.any(Number),
      });
      expect(events.at(-1)).toMatchObject({ type: 'summary', lost: totals.missing });
    },
  );

  sideBySide('is 3 if a reply is missing, and says which one', async () => {
    await using server = await answeringServer((data) => (data.toString() === 'q3' ? [] : [`a:${data.toString()}`]));
    expect(await replay(server.address, path, ...SILENCE)).toMatchObject({
      status: 3,
      stderr: `udpcat: ${server.address} gave 2 of 3 replies within 3s; answer 3 of 3 did not come as recorded\n`,
    });
  });

  sideBySide('is 1 for a recording without expected replies', async () => {
    await using server = await echoServer();
    const silent = recorded(conversation(['q1', 'q2']));
    expect(await replay(server.address, silent)).toMatchObject({
      status: 1,
      stderr: `udpcat: ${silent} holds no answers to compare the replies with\n`,
    });
  });
});

describe('a recording that is broken', () => {
  const whole = readFileSync(recorded(conversation(['first', 'second'])));
  const path = join(folder, 'broken.pcap');
  writeFileSync(path, whole.subarray(0, -3));

  test('is sent up to the error, which has the offset', async () => {
    await using server = await silentServer();
    const { status, stderr } = await udpcat(['send', server.address, '--replay', path]);
    expect(stderr).toMatch(new RegExp(`^udpcat: cannot replay ${path}: at byte \\d+: [^\\n]+\\n$`));
    expect(status).toBe(1);
    expect(await arrivals(server)).toEqual(['first']);
  });

  test.each([
    ['not there', join(folder, 'nowhere.pcap'), /^udpcat: cannot read .*nowhere\.pcap: .+\n$/],
    ['a folder', folder, /^udpcat: cannot read .*: it is a directory/],
    ['empty', '/dev/null', /^udpcat: \/dev\/null holds no datagram to send\n$/],
  ])('%s is an error', async (_title, file, message) => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', '--replay', file]);
    expect(stderr).toMatch(message);
    expect(status).toBe(1);
  });

  test('because a datagram is too large for the destination is an error with its number', async () => {
    const large = { ...conversation(['x'], 6)[0]!, data: Buffer.alloc(65_527) };
    await using server = await silentServer(4);
    const file = recorded([conversation(['x'], 6)[0]!, large]);
    const { status, stderr } = await udpcat(['send', server.address, '--replay', file]);
    expect(stderr).toBe(
      `udpcat: datagram 2 of ${file} has 65527 bytes, more than the limit of 65507 to that address\n`,
    );
    expect(status).toBe(1);
    expect(await arrivals(server)).toEqual(['x']);
  });
});

testWithShell('--replay of a pipe without a writer still ends by a deadline and by a signal', async () => {
  const pipe = join(folder, 'pipe.pcap');
  const args = ['send', '127.0.0.1:9', '--replay', pipe, '--deadline', '500ms'];
  await using running = shell(`mkfifo ${quote(pipe)} && exec ${commandLine(args)}`);
  expect(await running.outcome).toMatchObject({
    status: 1,
    stderr: 'udpcat: the deadline of 500ms came before everything was sent\n',
  });
});

test.each<[string, (path: string) => string]>([
  ['itself', (path) => path],
  ['a symbolic link to it', (path) => (symlinkSync(path, `${path}.link.pcap`), `${path}.link.pcap`)],
  ['a second name of it', (path) => (linkSync(path, `${path}.name.pcap`), `${path}.name.pcap`)],
])(
  '--record onto the recording that is replayed, as %s, is a usage error and leaves it whole',
  async (_title, name) => {
    const path = recorded(conversation(['a', 'b']));
    const whole = readFileSync(path);
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', '--replay', path, '--record', name(path)]);
    expect(stderr).toBe(
      `udpcat: option '--record' would write to ${path}, which is to be replayed: record to another file\n`,
    );
    expect(status).toBe(2);
    expect(readFileSync(path).equals(whole)).toBe(true);
  },
);

test('--replay and a message together are a usage error', async () => {
  const { stderr, status } = await udpcat(['send', '127.0.0.1:9', 'x', '--replay', 'x.pcap']);
  expect(stderr).toBe('udpcat: messages come from one source only, not from messages as arguments and --replay\n');
  expect(status).toBe(2);
});

test.each([
  [['--speed', '2', 'x'], "option '--speed' is about a recording: add --replay"],
  [['--expect-replay', 'x'], "option '--expect-replay' is about a recording: add --replay"],
  [['--replay', 'x.pcap', '--expect-replay', '-n', '3'], 'leave out -n'],
  [['--replay', 'x.pcap', '--speed', '0'], 'A speed is a factor above 0, for example 2 or 0.5, or max.'],
])('%j is a usage error', async (args, message) => {
  const { stderr, status } = await udpcat(['send', '127.0.0.1:9', ...args]);
  expect(stderr).toContain(message);
  expect(status).toBe(2);
});

testCapturing([], 'a capture of tcpdump replays to the same payloads', async () => {
  await using original = await echoServer();
  const path = join(folder, 'tcpdump.pcap');
  const lines = ['one', '', 'three'.repeat(1000)];
  {
    const filter = ['-i', 'lo', '-U', '-w', path, '-c', '6', 'udp', 'port', String(original.port)];
    await using capture = await startCapture('tcpdump', filter, /listening on/);
    expect(await udpcat(['send', original.address, ...lines, '-n', '3', '-o', 'none'])).toMatchObject({ status: 0 });
    await capture.ended;
  }
  await using again = await echoServer();
  const args = ['send', again.address, '--replay', path, '--speed', 'max', '--expect-replay', '-o', 'none'];
  const { status, stderr } = await udpcat(args);
  expect(status).toBe(0);
  // On loopback one datagram of that size looks like several that segmentation offload has not cut yet.
  expect(stderr).toMatch(/^(udpcat: warning: a datagram of 5000 bytes in \S+ may be several [^\n]+\n)?$/);
  expect(again.received.map(({ data }) => data.toString())).toEqual(lines);
});
