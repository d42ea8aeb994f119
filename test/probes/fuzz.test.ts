import { describe, expect, test } from '@jest/globals';
import { PROBES } from '../../src/probes/table.js';
import { splitName } from '../../src/probes/session.js';
import { FIXTURES } from './fixtures/index.js';
import { cpuTimeMs } from '../support/cpu-time.js';
import { mutate, mutations } from '../support/mutations.js';
import { startExchange, startProbe } from './session.js';
import { fc, holds } from '../support/property.js';

const RUNS = 500;
/** Most processor time of one judgement, in milliseconds. A judgement that takes more counts as hanging. */
const MOST_MS = 2000;

/**
 * The part of a reply that depends on its request: from the first to the last byte that differs between two requests.
 */
function difference(own: Buffer, other: Buffer): Buffer {
  const differs = (byte: number, index: number): boolean => byte !== other[index];
  return own.subarray(own.findIndex(differs), own.findLastIndex(differs) + 1);
}

test('every probe with replies has a real reply among the fixtures', async () => {
  const withReplies: string[] = [];
  for (const [name, load] of Object.entries(PROBES)) {
    if ((await load()).repliesFrom !== 'none') withReplies.push(name);
  }
  expect(FIXTURES.map(({ probe }) => splitName(probe)[0]).sort()).toEqual(withReplies.sort());
});

describe.each(FIXTURES)('the probe $probe', (fixture) => {
  test('takes the genuine reply, and says what it learned', async () => {
    const { replies, judge } = await startExchange(fixture);
    const finding = judge(replies.at(-1)!);
    expect(finding.outcome).toBe('match');
    expect(finding.says?.slice(splitName(fixture.probe)[0].length + 2)).toMatch(fixture.says);
  });

  test('judges whatever a hostile service makes of it, at once and without a crash', async () => {
    const { replies, judge } = await startExchange(fixture);
    const data = fc.tuple(fc.nat(replies.length - 1), mutations);
    holds(
      fc.property(data, ([which, changes]) => {
        const startMs = cpuTimeMs();
        const finding = judge(mutate(replies[which]!, changes));
        expect(finding.says).toEqual(expect.any(String));
        expect(cpuTimeMs() - startMs).toBeLessThan(MOST_MS);
      }),
      { runs: RUNS },
    );
  });

  test('judges any bytes, and takes none of them for its reply', async () => {
    const { judge } = await startProbe(fixture.probe);
    const bytes = fc.uint8Array({ maxLength: 2000, size: 'max' });
    holds(
      fc.property(bytes, (data) => {
        if (fixture.tied) expect(judge(data).outcome).not.toBe('match');
        else judge(data);
      }),
      { runs: RUNS },
    );
  });

  test('does not take its own request, sent back, for a reply', async () => {
    const { request, judge } = await startProbe(fixture.probe);
    expect(judge(request).outcome).toBe('mismatch');
  });

  if (!fixture.tied) return;
  test('never takes the reply to another request', async () => {
    const { replies: own, judge } = await startExchange(fixture);
    let other = await startExchange(fixture);
    while (other.replies.at(-1)!.equals(own.at(-1)!)) other = await startExchange(fixture);
    holds(
      fc.property(fc.nat(other.replies.length - 1), fc.option(mutations), (which, changes) => {
        const reply = changes === null ? other.replies[which]! : mutate(other.replies[which]!, changes);
        // A random change can hit the right id by chance, if the id is short.
        fc.pre(!reply.includes(difference(own[which]!, other.replies[which]!)));
        expect(judge(reply).outcome).not.toBe('match');
      }),
      { runs: RUNS },
    );
  });
});
