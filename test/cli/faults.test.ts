import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { flood } from '../support/flood.js';
import { drained, jsonLines, sendAll } from '../support/service.js';
import { hostAndPort, type Peer, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { type Outcome } from '../support/udpcat.js';
import { sideBySideNeeding, testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');
const sideBySideWithProc = sideBySideNeeding('proc');

type Counts = Readonly<Record<string, number>>;

/** Returns the faults in the summary on stderr, the last line of `--stats --log-format json`. */
function faultsOf({ stderr }: Outcome): Counts {
  return jsonLines(stderr).at(-1)?.faults as Counts;
}

/** Starts a server whose summary is JSON. */
async function startSummed(args: readonly string[]) {
  const running = start([...args, '--stats', '--log-format', 'json']);
  const [, line = ''] = await running.until(/^(.*)\n/, 'stderr');
  return { running, address: (JSON.parse(line) as { address: string }).address };
}

const numbers = (count: number): string[] => Array.from({ length: count }, (_, index) => `number ${index}`);
const texts = (peer: Peer): string[] => peer.received.map(({ data }) => data.toString('latin1'));

const ALL_AT_ONCE = [
  '--loss',
  '20%',
  '--burst-loss',
  '5%:50%',
  '--duplicate',
  '10%',
  '--corrupt',
  '20%',
  '--truncate',
  '10%',
];

/** Sends datagrams to a server, and collects its responses in order, and its counts. */
async function responsesOf(args: readonly string[], payloads: readonly string[]) {
  await using peer = await silentServer();
  const { running, address } = await startSummed([...args, '-c', String(payloads.length)]);
  await using server = running;
  await sendAll(peer, address, payloads);
  const outcome = await server.outcome;
  expect(outcome.status).toBe(0);
  const sent = Number(jsonLines(outcome.stderr).at(-1)?.sent);
  await peer.collect(sent);
  return { responses: texts(peer), faults: faultsOf(outcome), sent };
}

describe('a seed', () => {
  test.each([
    ['echo', ['echo', ...ALL_AT_ONCE]],
    ['serve --reply', ['serve', '--reply', 'the answer', '-o', 'none', '--no-loop-guard', ...ALL_AT_ONCE]],
  ])('makes %s give the same responses, faults and counts for the same requests', async (_, args) => {
    const [one, two, other] = await Promise.all(
      ['7', '7', '8'].map((seed) => responsesOf([...args, '--seed', seed], numbers(300))),
    );
    expect(two).toEqual(one);
    expect(one?.faults).toMatchObject({ seed: 7, answers: 300 });
    expect(other?.responses).not.toEqual(one?.responses);
  });

  test('that was not given is chosen and shown at the start and in the summary, and gives the same run again', async () => {
    await using running = start(['echo', '--loss', '50%', '-o', 'json', '--stats', '--duration', '20ms']);
    const { stdout, stderr } = await running.outcome;
    const [, seed = ''] = /^udpcat: the answers have faults; --seed (\d+) repeats them$/m.exec(stderr) ?? [];
    expect(stderr).toContain(`udpcat: faults (--seed ${seed}): 0 answers\n`);
    const lines = jsonLines(stdout);
    expect(lines[0]).toMatchObject({ type: 'listening', seed: Number(seed) });
    expect(lines.at(-1)).toMatchObject({ type: 'summary', faults: { seed: Number(seed), answers: 0 } });
    const [one, two] = await Promise.all(
      [1, 2].map(() => responsesOf(['echo', '--loss', '50%', '--seed', seed], numbers(100))),
    );
    expect(one).toEqual(two);
  });

  test('is another one each time', async () => {
    const seedOf = async () =>
      faultsOf(await udpcat(['echo', '--loss', '1%', '--duration', '20ms', '--stats', '--log-format', 'json'])).seed;
    expect(await seedOf()).not.toBe(await seedOf());
  });

  test('alone is no fault, and is not shown', async () => {
    const outcome = await udpcat(['echo', '--seed', '7', '--duration', '20ms', '--stats', '-o', 'json']);
    expect(outcome.stderr).not.toMatch(/fault/);
    expect(jsonLines(outcome.stdout).at(-1)).not.toHaveProperty('faults');
  });
});

test('faults without responses are a usage error', async () => {
  const outcome = await udpcat(['serve', '--loss', '5%']);
  expect(outcome.status).toBe(2);
  expect(outcome.stderr).toMatch(
    /^udpcat: faults change the answers of a server, and this one gives none; --reply, --reply-file, --exec or --rules gives some\n$/,
  );
});

describe('over a real socket', () => {
  testWithProc(
    '5,000 responses are lost, corrupted and sent twice with the given probabilities, and all are counted',
    async () => {
      const count = 5000;
      await using peer = await silentServer();
      const { running, address } = await startSummed([
        'echo',
        '--seed',
        '3',
        '--loss',
        '10%',
        '--corrupt',
        '5%',
        '--duplicate',
        '20%',
      ]);
      await using server = running;
      await flood(peer, address, count, 10_000);
      await drained(address);
      server.kill();
      const outcome = await server.outcome;
      const { sent, received } = jsonLines(outcome.stderr).at(-1) as unknown as Counts;
      const { answers, lost, duplicated, corrupted } = faultsOf(outcome) as Record<string, number>;
      expect({ received, answers }).toEqual({ received: count, answers: count });
      expect(sent).toBe(answers! + duplicated! - lost!);
      for (const [happened, expected] of [
        [lost, count * 0.1],
        [duplicated, count * 0.9 * 0.2],
        [corrupted, count * 0.9 * 0.05],
      ]) {
        expect(Math.abs(happened! - expected!)).toBeLessThan(3.29 * Math.sqrt(expected!));
      }
      await peer.collect(sent!);
      const changed = texts(peer).filter((text) => !/^0{16}\d{4}$/.test(text) || Number(text) >= count);
      expect(changed.length).toBeLessThanOrEqual(corrupted! * 2);
      expect(changed.length).toBeGreaterThan(corrupted! / 2);
    },
  );

  test('delayed, jittered and reordered responses all come unchanged, and none too early', async () => {
    const count = 500;
    await using peer = await silentServer();
    const { running, address } = await startSummed([
      'echo',
      '--delay',
      '30ms',
      '--jitter',
      '10ms',
      '--reorder',
      '10%',
      '-c',
      String(count),
    ]);
    await using server = running;
    const startMs = performance.now();
    await sendAll(peer, address, numbers(count));
    await peer.collect(1);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(20);
    await peer.collect(count);
    expect(texts(peer)).not.toEqual(numbers(count));
    expect(texts(peer).sort()).toEqual(numbers(count).sort());
    const outcome = await server.outcome;
    expect(faultsOf(outcome)).toMatchObject({ answers: count, delayed: count, lost: 0, unsent: 0, overflowed: 0 });
  });

  sideBySide('a blackhole drops the responses of its time, and later ones come', async () => {
    await using peer = await silentServer();
    const { running, address } = await startSummed(['echo', '--blackhole', '..3s', '--blackhole', '1h..']);
    await using server = running;
    await peer.send('early', address);
    while (peer.received.length === 0) {
      await peer.send('late', address);
      await delay(10);
    }
    server.kill();
    const { blackholed = 0, answers = 0 } = faultsOf(await server.outcome);
    expect(blackholed).toBeGreaterThan(0);
    expect(answers - blackholed).toBeGreaterThan(0);
    expect(texts(peer)).not.toContain('early');
  });

  testWithProc('a flood of delayed responses is bounded, warned about once, and counted', async () => {
    await using peer = await silentServer();
    // About 70 of the largest datagrams more than the delay line holds.
    const count = 1100;
    // None leaves before the end, however long the sending takes.
    const { running, address } = await startSummed([
      'echo',
      '--delay',
      '1h',
      '--queue-size',
      '2000',
      '--recv-buffer',
      '4M',
    ]);
    await using server = running;
    for (let sent = 0; sent < count; sent += 10) {
      await sendAll(
        peer,
        address,
        Array.from({ length: 10 }, (_, index) => Buffer.alloc(65_000, sent + index)),
      );
      await drained(address);
    }
    await server.until('too many answers are delayed', 'stderr');
    server.kill();
    server.kill('SIGINT');
    const outcome = await server.outcome;
    const { answers, overflowed, unsent } = faultsOf(outcome);
    expect({ answers, unsent, overflowed }).toEqual({ answers: count, unsent: 1032, overflowed: count - 1032 });
    expect(outcome.stderr.match(/too many answers are delayed/g)).toHaveLength(1);
  });
});

describe('responses that are not ready at once', () => {
  test('of rules with a delay have faults as others do', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-faults-'));
    try {
      const rules = join(folder, 'rules.json');
      writeFileSync(
        rules,
        '{"rules": [{"when": {"exact": "x"}, "answers": ["now", {"text": "later", "delay": "100ms"}]}]}',
      );
      const args = ['serve', '--rules', rules, '-o', 'none', '--delay', '50ms', '--duplicate', '100%'];
      const { responses, faults } = await responsesOf(args, ['x']);
      expect(responses).toEqual(['now', 'now', 'later', 'later']);
      expect(faults).toMatchObject({ answers: 2, duplicated: 2, delayed: 4, unsent: 0 });
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('of programs have the faults of the seed, and all are sent before the end', async () => {
    const args = ['serve', '--exec', 'cat', '-o', 'none', '--delay', '50ms', '--loss', '100%'];
    const { responses, faults } = await responsesOf(args, numbers(3));
    expect(responses).toEqual([]);
    expect(faults).toMatchObject({ answers: 3, lost: 3 });
    const { responses: delayed } = await responsesOf(args.slice(0, -2), numbers(3));
    expect(delayed.sort()).toEqual(numbers(3));
  });

  testWithProc('of programs are sent within a second after a signal, even with a long delay', async () => {
    await using peer = await silentServer();
    const { running, address } = await startSummed(['serve', '--exec', 'cat', '-o', 'none', '--delay', '1h']);
    await using server = running;
    await peer.send('x', address);
    await drained(address);
    server.kill();
    await peer.collect(1);
    const outcome = await server.outcome;
    expect(outcome.status).toBe(0);
    expect(jsonLines(outcome.stderr).at(-1)).toMatchObject({ sent: 1, faults: { delayed: 1, unsent: 0 } });
  });
});

describe('delayed responses at the end', () => {
  test('of --count are all sent at their time', async () => {
    await using peer = await silentServer();
    const { running, address } = await startSummed(['echo', '-c', '1', '--delay', '1.5s']);
    await using server = running;
    const startMs = performance.now();
    await peer.send('x', address);
    await peer.collect(1);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(1500);
    const outcome = await server.outcome;
    expect(outcome.status).toBe(0);
    expect(jsonLines(outcome.stderr).at(-1)).toMatchObject({ sent: 1, faults: { delayed: 1, unsent: 0 } });
  });

  testWithProc('of --count do not make the server read further requests, or count them as dropped', async () => {
    await using peer = await silentServer();
    const { running, address } = await startSummed([
      'echo',
      '-c',
      '5',
      '--delay',
      '1s',
      '--queue-size',
      '5',
      '--engine',
      'node',
    ]);
    await using server = running;
    await sendAll(peer, address, numbers(5));
    await drained(address);
    await sendAll(peer, address, numbers(100));
    await peer.collect(5);
    expect(texts(peer)).toEqual(numbers(5));
    const outcome = await server.outcome;
    expect(jsonLines(outcome.stderr).at(-1)).toMatchObject({ received: 5, sent: 5, dropped: { queue: 0 } });
  });

  sideBySideWithProc.each([
    { end: 'a signal', args: ['-c', '1'] },
    { end: 'a signal, without --count', args: [] },
    { end: '--duration', args: ['--duration', '5s'] },
    { end: '--idle', args: ['--idle', '5s'] },
  ])('are sent a second after $end, even with a long delay', async ({ end, args }) => {
    await using peer = await silentServer();
    const { running, address } = await startSummed(['echo', '--delay', '1h', ...args]);
    await using server = running;
    const startMs = performance.now();
    await peer.send('x', address);
    await drained(address);
    if (end.startsWith('a signal')) server.kill();
    await peer.collect(1);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(990);
    const outcome = await server.outcome;
    expect(outcome.status).toBe(0);
    const summary = jsonLines(outcome.stderr).at(-1);
    expect(summary).toMatchObject({ sent: 1, faults: { unsent: 0 } });
    if (end.startsWith('-')) expect(summary?.durationMs).toBeGreaterThanOrEqual(5990);
  });

  testWithProc('are sent at their time, if that is sooner', async () => {
    await using peer = await silentServer();
    const { running, address } = await startSummed(['echo', '--delay', '300ms']);
    await using server = running;
    const startMs = performance.now();
    await sendAll(peer, address, ['x', 'y']);
    await drained(address);
    server.kill();
    await peer.collect(2);
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(300);
    expect(texts(peer)).toEqual(['x', 'y']);
    expect(faultsOf(await server.outcome)).toMatchObject({ unsent: 0 });
  });

  testWithProc('are counted after a second signal', async () => {
    await using peer = await silentServer();
    const { running, address } = await startSummed(['echo', '--delay', '1h']);
    await using server = running;
    await sendAll(peer, address, ['x', 'y', 'z']);
    await drained(address);
    server.kill();
    server.kill('SIGINT');
    const outcome = await server.outcome;
    expect(outcome.status).toBe(0);
    expect(jsonLines(outcome.stderr).at(-1)).toMatchObject({ received: 3, sent: 0, faults: { unsent: 3 } });
  });
});

test('--record has the responses as they were sent, with their faults', async () => {
  const { responses } = await responsesOf(['echo', '--seed', '1', '--corrupt', '50%', '--delay', '10ms'], numbers(50));
  await using running = start([
    'echo',
    '--seed',
    '1',
    '--corrupt',
    '50%',
    '--delay',
    '10ms',
    '-c',
    '50',
    '--record',
    '-',
  ]);
  await using peer = await silentServer();
  await sendAll(peer, await running.listening(), numbers(50));
  const recording = (await running.outcome).stdout.toString('latin1');
  for (const response of responses) expect(recording).toContain(response);
});

test('--max-peers bounds the rows of the summary', async () => {
  const { running, address } = await startSummed(['echo', '--max-peers', '2', '-c', '4']);
  await using server = running;
  for (let count = 0; count < 4; count += 1) {
    await using peer = await silentServer();
    await peer.send('x', address);
    await peer.collect(1);
  }
  expect(jsonLines((await server.outcome).stderr).at(-1)).toMatchObject({
    peers: [{ received: 1 }, { received: 1 }],
    otherPeers: { received: 2, answered: 2 },
  });
  expect(hostAndPort(address).port).toBeGreaterThan(0);
});
