import { describe, expect } from '@jest/globals';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import { answeringServer, arrivals, closedAddress, echoServer, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { type Outcome } from '../support/udpcat.js';

/** A limit that no test reaches. */
const LONG = '1h';
/** A wait that runs out. It is long enough for a reply on a busy machine. The tests run side by side. */
const SHORT = '3s';

interface Summary extends Readonly<Record<string, unknown>> {
  readonly rtt: Readonly<Record<string, number>> | null;
  readonly histogram: readonly { readonly fromMs: number; readonly toMs: number; readonly count: number }[];
}

/** The last of the JSON lines. */
function summaryOf({ stdout }: Outcome): Summary {
  return JSON.parse(stdout.toString().trim().split('\n').at(-1) ?? '') as Summary;
}

/** Sends numbered payloads, ten milliseconds apart. */
function measure(address: string, ...args: readonly string[]): Promise<Outcome> {
  return udpcat(['send', address, '--size', '64', '--interval', '10ms', '-o', 'json', ...args]);
}

const flipped = (data: Buffer): Buffer => {
  const copy = Buffer.from(data);
  copy[40]! ^= 1;
  return copy;
};

describe.each([4, 6] as const)('of generated payloads over IPv%d, matched by content,', (family) => {
  sideBySide('all that come back are received', async () => {
    await using server = await echoServer(family);
    const outcome = await measure(server.address, '-c', '20', '-w', LONG);
    const summary = summaryOf(outcome);
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
    expect(summary).toMatchObject({
      sent: 20,
      received: 20,
      lost: 0,
      duplicated: 0,
      reordered: 0,
      corrupted: 0,
      late: 0,
      refused: 0,
      matchedBy: 'content',
    });
    const { minMs = 0, p50Ms = 0, p999Ms = 0, maxMs = 0, meanMs = 0, jitterMs = -1 } = summary.rtt ?? {};
    expect(minMs).toBeGreaterThan(0);
    expect([minMs, p50Ms, p999Ms, maxMs]).toEqual([minMs, p50Ms, p999Ms, maxMs].toSorted((a, b) => a - b));
    expect(meanMs).toBeLessThanOrEqual(maxMs);
    expect(jitterMs).toBeGreaterThanOrEqual(0);
    expect(summary.histogram.reduce((sum, { count }) => sum + count, 0)).toBe(20);
  });

  sideBySide('lost, duplicated, reordered and corrupted ones are counted apart', async () => {
    const held: Buffer[] = [];
    await using server = await answeringServer((data, nth) => {
      switch (nth) {
        case 0:
          return [];
        case 1:
          return [data, data, data];
        case 2:
          held.push(data);
          return [];
        case 3:
          return [data, ...held];
        case 4:
          return [flipped(data)];
        case 5:
          return [data.subarray(0, 30)];
        default:
          return [data];
      }
    }, family);
    const outcome = await measure(server.address, '-c', '8', '-w', SHORT);
    expect(summaryOf(outcome)).toMatchObject({
      sent: 8,
      received: 5,
      lost: 3,
      duplicated: 2,
      reordered: 1,
      corrupted: 2,
      matchedBy: 'content',
    });
    expect(outcome.status).toBe(5);
    expect(outcome.stderr).toBe(
      `udpcat: the reply from ${server.address} is corrupted: the check that it carries does not hold\n`,
    );
  });

  sideBySide('refusals are counted', async () => {
    const address = await closedAddress(family);
    const outcome = await measure(address, '-c', '3', '-w', SHORT);
    expect(outcome.status).toBe(4);
    const { refused, ...rest } = summaryOf(outcome);
    expect(rest).toMatchObject({ sent: 3, received: 0, lost: 3, rtt: null, histogram: [] });
    expect(refused).toBeGreaterThanOrEqual(1);
  });

  sideBySide('`udpcat echo` sends every one back, also with its loop guard', async () => {
    await using echo = start(['echo', family === 6 ? '[::1]:0' : '127.0.0.1:0']);
    const address = await echo.listening();
    const args = ['--size', '64', '--rate', '1000/s', '-c', '500', '-w', LONG, '-o', 'json'];
    const outcome = await udpcat(['send', address, ...args]);
    expect(outcome.status).toBe(0);
    expect(summaryOf(outcome)).toMatchObject({ sent: 500, received: 500, lost: 0, duplicated: 0, corrupted: 0 });
  });
});

describe('a duplicate', () => {
  sideBySide('does not replace a missing reply', async () => {
    await using server = await answeringServer((data, nth) => (nth === 0 ? [data, data] : []));
    const outcome = await measure(server.address, '-c', '2', '-w', SHORT);
    expect(outcome.status).toBe(3);
    expect(outcome.stderr).toBe(`udpcat: ${server.address} gave 1 of 2 replies within 3s\n`);
    expect(summaryOf(outcome)).toMatchObject({ received: 1, lost: 1, duplicated: 1 });
  });

  sideBySide('does not end the wait with -n', async () => {
    await using server = await answeringServer((data) => [data, data]);
    const outcome = await measure(server.address, '-c', '3', '-n', '3', '-w', LONG);
    expect(outcome.status).toBe(0);
    expect(summaryOf(outcome)).toMatchObject({ received: 3, lost: 0 });
  });
});

sideBySide('a reply to another run does not count', async () => {
  const [stale] = new NumberedPayloads(64).take(0, 1);
  await using server = await answeringServer((data) => [stale!, data]);
  const outcome = await measure(server.address, '-c', '2', '-n', 'all', '-w', SHORT);
  expect(outcome.status).toBe(0);
  expect(summaryOf(outcome)).toMatchObject({ received: 2, lost: 0, corrupted: 0, unmatched: 2, matchedBy: 'content' });
});

describe.each([4, 6] as const)('a reply that is no echo over IPv%d', (family) => {
  sideBySide('does not count if echoes come, even if it came first', async () => {
    const banner = 'welcome to this service';
    await using server = await answeringServer((data, nth) => (nth === 0 ? [banner, data, data] : []), family);
    const outcome = await measure(server.address, '-c', '3', '-w', SHORT);
    expect(outcome.status).toBe(3);
    expect(summaryOf(outcome)).toMatchObject({
      received: 1,
      lost: 2,
      duplicated: 1,
      corrupted: 0,
      unmatched: 1,
      matchedBy: 'content',
    });
  });

  sideBySide('does not end the wait for the echoes that come', async () => {
    await using server = await answeringServer((data, nth) => (nth === 0 ? ['hello', data] : [data, 'hello']), family);
    const outcome = await measure(server.address, '-c', '3', '-w', LONG);
    expect(outcome.status).toBe(0);
    expect(summaryOf(outcome)).toMatchObject({ received: 3, lost: 0, duplicated: 0, matchedBy: 'content' });
  });
});

sideBySide('a reply that takes longer than --wait is late, and counts as received', async () => {
  const held: Buffer[] = [];
  await using server = await answeringServer((data, nth) => {
    if (nth > 0) return [...held.splice(0), data];
    held.push(data);
    return [];
  });
  const args = ['--size', '64', '-c', '2', '--interval', '4s', '-w', SHORT, '-o', 'json'];
  const outcome = await udpcat(['send', server.address, ...args]);
  expect(outcome.status).toBe(0);
  expect(summaryOf(outcome)).toMatchObject({ received: 2, lost: 0, late: 1, reordered: 0 });
});

describe('by order are matched', () => {
  sideBySide('the replies of a service that does not echo', async () => {
    await using server = await answeringServer((_data, nth) => (nth === 1 ? [] : ['OK']));
    const outcome = await measure(server.address, '-c', '4', '-w', SHORT);
    expect(outcome.status).toBe(3);
    expect(summaryOf(outcome)).toMatchObject({
      sent: 4,
      received: 3,
      lost: 1,
      reordered: null,
      corrupted: null,
      matchedBy: 'order',
    });
  });

  sideBySide('payloads too short for a header', async () => {
    await using server = await echoServer();
    const outcome = await udpcat([
      'send',
      server.address,
      '--size',
      '15',
      '-c',
      '3',
      '--interval',
      '1ms',
      '-w',
      LONG,
      '-o',
      'json',
    ]);
    expect(outcome.status).toBe(0);
    expect(summaryOf(outcome)).toMatchObject({
      received: 3,
      lost: 0,
      sentPerSecond: expect.any(Number),
      matchedBy: 'order',
    });
  });

  sideBySide('replies to arguments, and further replies are duplicates', async () => {
    await using server = await answeringServer(['OK', 'OK']);
    const args = ['a', 'b', 'c', '-n', 'all', '-w', SHORT, '-o', 'json'];
    expect(summaryOf(await udpcat(['send', server.address, ...args]))).toMatchObject({
      sent: 3,
      received: 3,
      lost: 0,
      duplicated: 3,
      matchedBy: 'order',
    });
  });

  sideBySide('replies to lines of stdin, if they meet the expectations', async () => {
    await using server = await answeringServer((_data, nth) => ['no', ...(nth === 0 ? [] : ['OK'])]);
    const args = ['--expect', 'OK', '-w', SHORT, '-o', 'json'];
    const outcome = await udpcat(['send', server.address, ...args], { stdin: 'a\nb\nc\n' });
    expect(outcome.status).toBe(5);
    expect(summaryOf(outcome)).toMatchObject({ sent: 3, received: 2, lost: 1, mismatched: 3, matchedBy: 'order' });
  });
});

sideBySide.each([
  ['one message', ['hello', '-n', '1'], ''],
  ['one line of stdin', ['-n', '1'], 'hello\n'],
  ['one generated payload', ['--size', '64', '-w', LONG], ''],
])('%s is not measured, and its summary has no further fields', async (_title, args, stdin) => {
  await using server = await echoServer();
  const outcome = await udpcat(['send', server.address, ...args, '-o', 'json'], { stdin });
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  expect(Object.keys(summaryOf(outcome))).toEqual(['v', 'type', 'time', 'sent', 'received', 'dropped', 'durationMs']);
});

sideBySide('one-way payloads are the same each time, and not measured', async () => {
  await using server = await silentServer();
  const outcome = await measure(server.address, '-c', '3');
  expect(Object.keys(summaryOf(outcome))).not.toContain('lost');
  const payload = '!"#$%&\'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`';
  expect(await arrivals(server)).toEqual([payload, payload, payload]);
});

sideBySide('--retry sends the bytes of a generated payload again', async () => {
  await using server = await answeringServer((_data, nth) => (nth < 2 ? [] : ['OK']));
  const outcome = await udpcat(['send', server.address, '--size', '64', '--retry', '3', '-w', '8s', '-o', 'none']);
  expect(outcome).toMatchObject({ status: 0, stderr: '' });
  const sent = await arrivals(server);
  expect(sent).toHaveLength(3);
  expect(new Set(sent).size).toBe(1);
});

describe('the summary on stderr', () => {
  sideBySide('tells counts, times and their distribution', async () => {
    await using server = await answeringServer((data, nth) => (nth === 0 ? [] : [data]));
    const args = ['--size', '64', '-c', '25', '--interval', '10ms', '-w', SHORT, '-o', 'none', '--stats'];
    const { stderr } = await udpcat(['send', server.address, ...args]);
    const [, counts, rates, times, ...histogram] = stderr.trimEnd().split('\n');
    expect(counts).toMatch(/^udpcat: 24 received, 25 sent, 1 lost \(4%\) in \d+\.\d{3} s$/);
    expect(rates).toMatch(/^udpcat: sent [\d,.]+\/s, [\d.]+ [kM]?bit\/s; received [\d,.]+\/s, [\d.]+ [kM]?bit\/s$/);
    const ms = String.raw`\d+(\.\d+)?`;
    expect(times).toMatch(
      RegExp(
        `^udpcat: round-trip time: min ${ms}, p50 ${ms}, p90 ${ms}, p99 ${ms}, p99\\.9 ${ms}, max ${ms}, mean ${ms}, jitter ${ms} ms; matched by content$`,
      ),
    );
    expect(histogram.length).toBeGreaterThan(0);
    for (const line of histogram) expect(line).toMatch(RegExp(`^udpcat: +${ms} to +${ms} ms +\\d+( #+)?$`));
  });

  sideBySide('is one line of JSON with --log-format json', async () => {
    await using server = await echoServer();
    const args = ['--size', '64', '-c', '3', '--interval', '10ms', '-w', LONG, '-o', 'none', '--stats'];
    const { stderr } = await udpcat(['send', server.address, ...args, '--log-format', 'json']);
    expect(
      stderr
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      expect.objectContaining({
        received: 3,
        lost: 0,
        sentPerSecond: expect.any(Number),
        matchedBy: 'content',
        rtt: expect.any(Object),
      }),
    ]);
  });

  sideBySide('has no times without a reply', async () => {
    await using server = await silentServer();
    const args = ['a', 'b', '-w', '100ms', '--stats'];
    const { stderr } = await udpcat(['send', server.address, ...args]);
    expect(stderr).toMatch(/\nudpcat: 0 received, 2 sent, 2 lost \(100%\) in \d+\.\d{3} s\nudpcat: sent [^;\n]+\n$/);
  });
});
