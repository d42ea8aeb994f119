/** Replies that take long to judge: judging ends with the wait, and the verdict tells it. */
import { describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { jsonLines } from '../support/service.js';
import { answeringServer } from '../support/sockets.js';
import { type Outcome, udpcat } from '../support/udpcat.js';

/** Letters without a pattern, so that no short cut of the search applies: each depends on the thousand before it. */
function letters(): Buffer {
  let state = 1;
  return Buffer.from(
    Array.from({ length: 65_507 }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 16) % 2 === 0 ? 0x61 : 0x62;
    }),
  );
}

/** An expression that takes half a minute over those letters, and does not match. It matches `good` at once. */
const LONG = `${[1000, 999, 998, 997, 996, 995].map((n) => `(a|b)*(a|b){${n}}[x-z]|(a|b)*a(a|b){${n}}[x-z]`).join('|')}|^good`;
const LONG_REPLY = letters();

/** The linux engine where it can run. */
const [FASTEST = 'node'] = ENGINE_NAMES.toReversed();

describe('a judgement that takes longer than the wait', () => {
  // The engines do not know of judgements. Each judgement keeps a processor busy until the limit.
  test.each([
    { engine: FASTEST, limit: ['--wait', '3s'] },
    { engine: 'node', limit: ['--deadline', '6s'] },
  ])('ends with it, and is no verdict on the reply: $engine, $limit', async ({ engine, limit }) => {
    await using server = await answeringServer([LONG_REPLY]);
    const args = ['send', server.address, '?', '--expect-regex', LONG, ...limit, '--engine', engine, '-o', 'json'];
    const outcome = await udpcat([...args, '--explain']);
    const lines = jsonLines(outcome.stdout);
    expect(outcome.status).toBe(3);
    const { dropped } = lines.at(-1) as { dropped: { output: number } };
    // A busy machine may have no time to write the reply so shortly before the end. Then it is counted.
    expect(dropped.output).toBeLessThanOrEqual(1);
    expect(lines.map(({ type }) => type)).toEqual([dropped.output === 0 ? 'datagram' : 'drop', 'verdict', 'summary']);
    if (dropped.output === 0) expect(lines[0]).toMatchObject({ data: LONG_REPLY.toString() });
    expect(lines[1]).toMatchObject({ verdict: 'silent', replies: 0, unjudged: 1 });
    expect(lines[2]).toMatchObject({ received: 1, dropped: { queue: 0 } });
    // Without an end, the judgement would take several times as long.
    expect(lines[2]?.durationMs).toBeLessThan(15_000);
    expect(outcome.stderr).toMatch(/replied with 65507 bytes: unjudged, was not judged in time/);
    expect(outcome.stderr).toContain(
      `${server.address} replied, and 1 of its replies could not be judged within ${limit[1]}\n`,
    );
  });

  /**
   * Runs `send` with the expression that takes long. After the wait, 80 ms are left for the next replies. A busy machine may
   * let these pass, so the command runs again, up to 30 times, until `isJudged` finds that a reply was judged.
   */
  const untilJudged = async (args: readonly string[], isJudged: (outcome: Outcome) => boolean): Promise<Outcome> => {
    const all = ['send', ...args, '--expect-regex', LONG, '-w', '2s', '-o', 'json'];
    let outcome = await udpcat(all);
    for (let again = 0; again < 30 && !isJudged(outcome); again += 1) outcome = await udpcat(all);
    return outcome;
  };

  test('leaves time to judge the next replies', async () => {
    await using server = await answeringServer([LONG_REPLY, 'good']);
    const { status, stdout } = await untilJudged([server.address, '?'], (outcome) => outcome.status === 0);
    expect(jsonLines(stdout).at(-2)).toMatchObject({ verdict: 'ok', replies: 1, unjudged: 1 });
    expect(status).toBe(0);
  });

  test('in a measured run leaves the other replies: only the unjudged one is lost', async () => {
    await using server = await answeringServer((_data, nth) => [nth % 2 === 0 ? LONG_REPLY : 'good']);
    const received = ({ stdout }: Outcome): unknown => jsonLines(stdout).at(-1)?.received;
    const { status, stdout } = await untilJudged([server.address, 'a', 'b'], (outcome) => received(outcome) !== 0);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ sent: 2, received: 1, lost: 1 });
    expect(status).toBe(3);
  });
});

describe('a judgement that may take long', () => {
  /** Long enough to be examined in a thread, and quickly done. */
  const reply = Buffer.concat([Buffer.from('first '), Buffer.alloc(60_000, 'ab'), Buffer.from(' last')]);
  const matching = ['--expect-regex', '(?i)first (ab)+ last$', '--expect', 'last'];

  test.each([
    { args: matching, status: 0, says: '' },
    {
      args: [...matching, '--expect-regex', '(?i)second|third|fourth'],
      status: 5,
      says: 'does not match "(?i)second|',
    },
    { args: [...matching, '--expect', 'none'], status: 5, says: 'does not contain "none"' },
    { args: [...matching, '--expect-size', '..9'], status: 5, says: 'has 60011 bytes, not 0..9' },
    { args: ['-e', 'hex', ...matching.slice(0, 2), '--expect', '6c ?? 73 74'], status: 0, says: '' },
  ])('has the same result in the thread: $args', async ({ args, status, says }) => {
    await using server = await answeringServer([reply]);
    const outcome = await udpcat(['send', server.address, '00', ...args, '-w', '5s', '-o', 'none']);
    expect(outcome.stderr).toContain(says);
    expect(outcome.status).toBe(status);
  });

  test('is made in the process itself if it cannot start a thread', async () => {
    await using server = await answeringServer([reply]);
    const [major = 0] = process.versions.node.split('.').map(Number);
    const permission = major >= 23 ? '--permission --allow-net' : '--experimental-permission';
    const NODE_OPTIONS = `${permission} --allow-fs-read=* --allow-fs-write=* --no-warnings`;
    const outcome = await udpcat(['send', server.address, '?', ...matching, '-o', 'none'], {
      env: { NODE_OPTIONS },
    });
    expect(outcome).toMatchObject({ status: 0, stderr: '' });
  });
});
