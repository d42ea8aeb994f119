import { describe, expect, test } from '@jest/globals';
import type { Expectation } from '../../src/check/expectation.js';
import { Judge, type Verdict } from '../../src/check/judge.js';
import { fc, holds } from '../support/property.js';

const says = (wanted: string, problem: string): Expectation => ({
  mismatch: (data) => (Buffer.from(data).toString().includes(wanted) ? undefined : problem),
  worstNsPerByte: 1,
});
const good = Buffer.from('good');
const bad = Buffer.from('bad');
const judge = (): Judge => new Judge([says('good', 'is bad')]);

/** The events of an exchange, one for each column of the table below. */
interface Happened {
  readonly enough: boolean;
  readonly mismatch: boolean;
  readonly refusedLast: boolean;
  readonly strays: boolean;
  readonly partial: boolean;
}

function after({ enough, mismatch, refusedLast, strays, partial }: Happened): Verdict {
  const one = judge();
  one.transmitted();
  if (strays) one.stray();
  if (mismatch) one.reply(bad);
  if (partial || enough) one.reply(good);
  if (enough) one.reply(good);
  if (refusedLast) one.refusal();
  return one.verdict(2);
}

/** The verdict by the rules of the documentation: the first that holds. */
function contract({ enough, mismatch, refusedLast, strays, partial }: Happened): Verdict {
  if (enough) return 'ok';
  if (mismatch) return 'mismatch';
  if (refusedLast) return 'refused';
  return strays && !partial ? 'stray' : 'silent';
}

const flags = [false, true];
const table = flags.flatMap((enough) =>
  flags.flatMap((mismatch) =>
    flags.flatMap((refusedLast) =>
      flags.flatMap((strays) => flags.map((partial) => ({ enough, mismatch, refusedLast, strays, partial }))),
    ),
  ),
);

describe('the verdict', () => {
  test.each(table.map((happened) => ({ ...happened, verdict: contract(happened) })))(
    'is $verdict: enough $enough, mismatch $mismatch, refused last $refusedLast, strays $strays, too few $partial',
    ({ verdict, ...happened }) => {
      expect(after(happened)).toBe(verdict);
    },
  );

  const happenings = fc.array(fc.constantFrom('good', 'bad', 'stray', 'refusal', 'transmitted'));
  test('is ok if and only if enough replies matched', () => {
    holds(
      fc.property(happenings, fc.integer({ min: 1, max: 4 }), (events, wanted) => {
        const one = judge();
        for (const event of events) {
          if (event === 'good' || event === 'bad')
            expect(one.reply(Buffer.from(event)).outcome).toBe(event === 'good' ? 'match' : 'mismatch');
          else if (event === 'stray') one.stray();
          else if (event === 'refusal') one.refusal();
          else one.transmitted();
        }
        const matching = events.filter((event) => event === 'good').length;
        expect(one.matching).toBe(matching);
        expect(one.verdict(wanted) === 'ok').toBe(matching >= wanted);
      }),
    );
  });

  test('is not refused after a later reply or transmission, but a later stray changes nothing', () => {
    const one = judge();
    one.refusal();
    expect(one.verdict(1)).toBe('refused');
    one.stray();
    expect(one.verdict(1)).toBe('refused');
    one.transmitted();
    expect(one.verdict(1)).toBe('stray');
    one.refusal();
    expect(one.refused).toBe(true);
    one.reply(good);
    expect([one.refused, one.verdict(2)]).toEqual([false, 'silent']);
  });
});

describe('a reply', () => {
  test('must meet every expectation: two replies that meet one each are no match', () => {
    const one = new Judge([says('a', 'has no a'), says('b', 'has no b')]);
    expect([one.reply(Buffer.from('a')).outcome, one.mismatch]).toEqual(['mismatch', 'has no b']);
    expect([one.reply(Buffer.from('b')).outcome, one.mismatch]).toEqual(['mismatch', 'has no a']);
    expect(one.verdict(1)).toBe('mismatch');
    expect(one.reply(Buffer.from('ab')).outcome).toBe('match');
    expect(one.verdict(1)).toBe('ok');
  });

  test('with any content matches if nothing is expected', () => {
    const one = new Judge([]);
    expect([one.reply(Buffer.of()).outcome, one.matching, one.mismatch]).toEqual(['match', 1, undefined]);
  });
});

describe('a reply that the caller judged', () => {
  test('as wrong is a mismatch, and ends a refusal', () => {
    const one = new Judge([]);
    one.refusal();
    expect(one.reject('is corrupted')).toEqual({ outcome: 'mismatch', says: 'is corrupted' });
    expect(one).toMatchObject({ matching: 0, mismatch: 'is corrupted', failedProbe: false, refused: false });
    expect(one.verdict(1)).toBe('mismatch');
  });

  test('as surplus counts for nothing, but shows that the peer is there', () => {
    const one = new Judge([]);
    one.refusal();
    expect(one.surplus('is a duplicate')).toEqual({ outcome: 'surplus', says: 'is a duplicate' });
    expect(one).toMatchObject({ matching: 0, mismatch: undefined, refused: false });
    expect(one.verdict(1)).toBe('silent');
  });
});

test('replies can be forgotten, and the verdict with them', () => {
  const one = judge();
  one.reply(good);
  one.reply(bad);
  one.forget();
  expect(one).toMatchObject({ matching: 0, mismatch: undefined });
  expect(one.verdict(1)).toBe('silent');
});

describe('with a probe', () => {
  const finding = (outcome: 'match' | 'mismatch' | 'pending') => ({ outcome, says: outcome });
  const probed = () =>
    new Judge([], (data) => finding(Buffer.from(data).toString() as 'match' | 'mismatch' | 'pending'));

  test('a pending reply is neither a match nor a mismatch', () => {
    const one = probed();
    one.reply(Buffer.from('pending'));
    expect(one.verdict(1)).toBe('silent');
    expect(one).toMatchObject({ pending: 'pending', mismatch: undefined, learned: undefined });
  });

  test('the first match says what was learned, the last mismatch why it failed', () => {
    const one = probed();
    for (const reply of ['mismatch', 'match', 'match']) one.reply(Buffer.from(reply));
    expect(one.verdict(1)).toBe('ok');
    expect(one).toMatchObject({ learned: 'match', mismatch: 'mismatch' });
  });

  test('a failure of the probe stays one, whatever reply follows', () => {
    const one = probed();
    for (const reply of ['mismatch', 'pending', 'match']) one.reply(Buffer.from(reply));
    expect(one).toMatchObject({ mismatch: 'mismatch', failedProbe: true });
  });

  test('a long text about a reply is cut', () => {
    const one = new Judge([], () => ({ outcome: 'mismatch', says: 'x'.repeat(60_000) }));
    one.reply(Buffer.of());
    expect(one.mismatch).toBe(`${'x'.repeat(300)}...`);
  });
});
