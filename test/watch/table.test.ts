import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { PLAIN } from '../../src/output/palette.js';
import type { Outcome } from '../../src/watch/check.js';
import { Names } from '../../src/watch/names.js';
import { Turns } from '../../src/timing/turns.js';
import { describeSummary, summarize } from '../../src/watch/summary.js';
import { drawTable } from '../../src/watch/table.js';
import { TargetWatch } from '../../src/watch/target-watch.js';
import { passes, type Verdict } from '../../src/watch/verdict.js';
import { watchPlan } from '../support/watching.js';

const MARKS: Readonly<Record<string, Verdict>> = {
  '.': 'ok',
  '~': 'slow',
  L: 'late',
  '-': 'silent',
  R: 'refused',
  M: 'mismatch',
  S: 'stray',
  E: 'error',
};

/** Targets that were checked: each is a name, and a mark for each check. */
async function targetsOf(checks: Readonly<Record<string, string>>): Promise<TargetWatch[]> {
  const addresses = Object.keys(checks).map((_, index) => `192.0.2.${index + 1}:53`);
  const { targets } = await watchPlan(addresses);
  return Object.entries(checks).map(([name, marks], index) => {
    const plan = targets[index];
    if (plan === undefined) throw new Error('expected a plan for each');
    const target = new TargetWatch(
      { ...plan, name },
      {
        io: { stdin: new PassThrough(), examiner: '' },
        names: new Names(() => Promise.resolve([])),
        turns: new Turns(),
        signal: new AbortController().signal,
        checks: undefined,
        checked: () => undefined,
        failed: () => undefined,
      },
      0,
    );
    for (const mark of marks) {
      const verdict = MARKS[mark] ?? 'ok';
      const isTimed = ['ok', 'slow', 'late'].includes(verdict);
      const outcome: Outcome = {
        verdict,
        says: '',
        address: plan.address,
        rttMs: isTimed ? 1.5 : undefined,
        sent: 1,
        received: isTimed ? 1 : 0,
        lost: isTimed ? 0 : 1,
      };
      target.history.take(outcome);
      target.health.take(passes(verdict), target.health.sinceMs);
    }
    return target;
  });
}

function rows(targets: readonly TargetWatch[], maxRows: number, columns = 100): string[] {
  const nowMs = (targets[0]?.health.sinceMs ?? 0) + 61_000;
  return drawTable(targets, { maxRows, columns, palette: PLAIN, nowMs }).map((row) =>
    row.map(({ text }) => text).join(''),
  );
}

describe('the table', () => {
  test('has a row for each target, in columns', async () => {
    const targets = await targetsOf({ one: '..~', 'another name': '..---', new: '' });
    expect(rows(targets, 10).map((row) => row.replace(/1m\ds/, '1m1s'))).toEqual([
      'one           up 1m1s       last 1.5 ms  median 1.5 ms   loss 0%  ..~',
      'another name  down 1m1s          last -  median 1.5 ms  loss 60%  ..---',
      'new           unknown 1m1s       last -       median -    loss -  ',
    ]);
  });

  test('shows those first that are not up where there are more than rows, and counts the others', async () => {
    const targets = await targetsOf({ a: '..', b: '..', c: '---', d: '', e: '..' });
    const [first, second, third, ...more] = rows(targets, 3);
    expect(first).toMatch(/^c {2}down/);
    expect(second).toMatch(/^d {2}unknown/);
    expect(third).toBe('and 3 more: 3 up');
    expect(more).toEqual([]);
  });

  test('shows the latest checks if there is no room for all, one character each', async () => {
    const [target] = await targetsOf({ a: `${'-'.repeat(60)}~LRMSE..` });
    const [row = ''] = target === undefined ? [] : rows([target], 2, 60);
    expect(row.length).toBe(59);
    expect(row).toMatch(/-~LRMSE\.\.$/);
  });

  test('cuts a long name', async () => {
    const [row = ''] = rows(await targetsOf({ ['x'.repeat(200)]: '.' }), 2);
    expect(row).toMatch(/^x{31}… {2}/);
  });
});

describe('the summary', () => {
  test('gives checks, percentages by verdict, and round-trip times', async () => {
    const targets = await targetsOf({ one: '..~-', two: '' });
    const summary = summarize(targets, 1234.5);
    expect(summary).toMatchObject({
      type: 'summary',
      durationMs: 1235,
      targets: [
        {
          target: 'one',
          address: '192.0.2.1:53',
          state: 'up',
          checks: 4,
          skipped: 0,
          verdicts: { ok: 2, slow: 1, silent: 1, refused: 0 },
          rtt: { minMs: 1.5, p50Ms: 1.5, p99Ms: 1.5, maxMs: 1.5 },
        },
        { target: 'two', state: 'unknown', checks: 0, rtt: null },
      ],
    });
    expect(describeSummary(summary)).toEqual({
      line: '4 checks of 2 targets',
      details: [
        'one: up, 4 checks, ok 50%, slow 25%, silent 25%, min/median/p99/max 1.5/1.5/1.5/1.5 ms',
        'two: unknown, 0 checks',
      ],
    });
  });
});
