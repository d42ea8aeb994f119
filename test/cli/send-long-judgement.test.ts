/** Replies whose judgement takes long: it ends with the wait, and the verdict says that it did. */
import { describe, expect, test } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { jsonLines } from '../support/service.js';
import { answeringServer } from '../support/sockets.js';
import { udpcat } from '../support/udpcat.js';

/** Letters that no short cut of the search fits: each of them depends on the thousand before it. */
function letters(): Buffer {
  let state = 1;
  return Buffer.from(
    Array.from({ length: 65_507 }, () => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return (state >>> 16) % 2 === 0 ? 0x61 : 0x62;
    }),
  );
}

/** Over those letters it takes half a minute, and matches nothing; it matches `good` at once. */
const LONG = `${[1000, 999, 998, 997, 996, 995].map((n) => `(a|b)*(a|b){${n}}[x-z]|(a|b)*a(a|b){${n}}[x-z]`).join('|')}|^good`;
const LONG_REPLY = letters();

describe('a judgement that takes longer than the wait', () => {
  test.each(
    ENGINE_NAMES.flatMap((engine) => [
      { engine, limit: ['--wait', '3s'] },
      { engine, limit: ['--deadline', '6s'] },
    ]),
  )('ends with it, and is no verdict on the reply: $engine, $limit', async ({ engine, limit }) => {
    await using server = await answeringServer([LONG_REPLY]);
    const args = ['send', server.address, '?', '--expect-regex', LONG, ...limit, '--engine', engine, '-o', 'json'];
    const outcome = await udpcat([...args, '--explain']);
    const lines = jsonLines(outcome.stdout);
    expect(outcome.status).toBe(3);
    const { dropped } = lines.at(-1) as { dropped: { output: number } };
    // A busy machine may find no time to write the reply so shortly before the end: it is counted then.
    expect(dropped.output).toBeLessThanOrEqual(1);
    expect(lines.map(({ type }) => type)).toEqual([dropped.output === 0 ? 'datagram' : 'drop', 'verdict', 'summary']);
    if (dropped.output === 0) expect(lines[0]).toMatchObject({ data: LONG_REPLY.toString() });
    expect(lines[1]).toMatchObject({ verdict: 'silent', replies: 0, unjudged: 1 });
    expect(lines[2]).toMatchObject({ received: 1, dropped: { queue: 0 } });
    // A judgement that is not ended takes several times as long.
    expect(lines[2]?.durationMs).toBeLessThan(15_000);
    expect(outcome.stderr).toMatch(/replied with 65507 bytes: unjudged, was not judged in time/);
    expect(outcome.stderr).toContain(
      `${server.address} replied, and 1 of its replies could not be judged within ${limit[1]}\n`,
    );
  });

  test.each(ENGINE_NAMES)('leaves the replies after it the time to be judged, with the %s engine', async (engine) => {
    await using server = await answeringServer([LONG_REPLY, 'good']);
    const args = ['send', server.address, '?', '--expect-regex', LONG, '-w', '3s', '--engine', engine, '-o', 'json'];
    const { status, stdout } = await udpcat(args);
    expect(jsonLines(stdout).at(-2)).toMatchObject({ verdict: 'ok', replies: 1, unjudged: 1 });
    expect(status).toBe(0);
  });

  test('leaves a measured run its other answers: the one that was not judged is lost', async () => {
    await using server = await answeringServer((_data, nth) => [nth === 0 ? LONG_REPLY : 'good']);
    const args = ['send', server.address, 'a', 'b', '--expect-regex', LONG, '-w', '3s', '-o', 'json'];
    const { status, stdout } = await udpcat(args);
    expect(jsonLines(stdout).at(-1)).toMatchObject({ sent: 2, received: 1, lost: 1 });
    expect(status).toBe(3);
  });
});

describe('a judgement that may take long', () => {
  /** So long that it is examined in a thread, and soon done. */
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
  ])('comes to what it would come to at once: $args', async ({ args, status, says }) => {
    await using server = await answeringServer([reply]);
    const outcome = await udpcat(['send', server.address, '00', ...args, '-w', '5s', '-o', 'none']);
    expect(outcome.stderr).toContain(says);
    expect(outcome.status).toBe(status);
  });

  test('is made at once where the process may start no thread', async () => {
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
