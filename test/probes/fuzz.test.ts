import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { PROBES } from '../../src/probes/table.js';
import { splitName } from '../../src/probes/session.js';
import { FIXTURES } from './fixtures/index.js';
import { mutate, mutations } from '../support/mutations.js';
import { startExchange, startProbe } from './session.js';

/** Runs of each property; `npm run fuzz` has more. */
const RUNS = Number(process.env.UDPCAT_FUZZ_RUNS ?? 500);
/** A judgement that takes longer hangs the check. */
const MOST_MS = 2000;
/** What all runs of a property may take. */
const TIMEOUT_MS = 60_000 + RUNS * 20;

test('every probe that something answers has a genuine reply here', async () => {
  const answered: string[] = [];
  for (const [name, load] of Object.entries(PROBES)) {
    if ((await load()).repliesFrom !== 'none') answered.push(name);
  }
  expect(FIXTURES.map(({ probe }) => splitName(probe)[0]).sort()).toEqual(answered.sort());
});

describe.each(FIXTURES)('the probe $probe', (fixture) => {
  test('takes the genuine reply, and says what it learned', async () => {
    const { replies, judge } = await startExchange(fixture);
    const finding = judge(replies.at(-1)!);
    expect(finding.outcome).toBe('match');
    expect(finding.says?.slice(splitName(fixture.probe)[0].length + 2)).toMatch(fixture.says);
  });

  test(
    'judges whatever a hostile service makes of it, at once and without a crash',
    async () => {
      const { replies, judge } = await startExchange(fixture);
      const data = fc.tuple(fc.nat(replies.length - 1), mutations);
      fc.assert(
        fc.property(data, ([which, changes]) => {
          const startMs = performance.now();
          const finding = judge(mutate(replies[which]!, changes));
          expect(finding.says).toEqual(expect.any(String));
          expect(performance.now() - startMs).toBeLessThan(MOST_MS);
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );

  test(
    'judges any bytes, and takes none of them for its reply',
    async () => {
      const { judge } = await startProbe(fixture.probe);
      const bytes = fc.uint8Array({ maxLength: 2000, size: 'max' });
      fc.assert(
        fc.property(bytes, (data) => {
          if (fixture.tied) expect(judge(data).outcome).not.toBe('match');
          else judge(data);
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );

  test('does not take its own request, sent back, for a reply', async () => {
    const { request, judge } = await startProbe(fixture.probe);
    expect(judge(request).outcome).toBe('mismatch');
  });

  (fixture.tied ? test : test.skip)(
    `never takes the reply to another request${fixture.tied ? '' : ' (skipped: the protocol cannot tell)'}`,
    async () => {
      const other = await startExchange(fixture);
      const { judge } = await startProbe(fixture.probe);
      fc.assert(
        fc.property(fc.nat(other.replies.length - 1), fc.option(mutations), (which, changes) => {
          const reply = other.replies[which]!;
          expect(judge(changes === null ? reply : mutate(reply, changes)).outcome).not.toBe('match');
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );
});
