import { describe, expect, test } from '@jest/globals';
import { expectContains } from '../../src/check/expectation.js';
import { Judge } from '../../src/check/judge.js';
import { ExpectedReplies } from '../../src/check/expected-replies.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('a reply that comes before its answer was read', () => {
  test('matches once that is read', () => {
    const answers = new ExpectedReplies();
    const judge = new Judge([], answers.judge);
    const found: unknown[] = [];
    const { outcome, later } = judge.reply(bytes('a'));
    later?.((settled) => found.push(settled));
    answers.expect(bytes('b'));
    expect({ outcome, found, matching: judge.matching, verdict: judge.verdict(1) }).toEqual({
      outcome: 'pending',
      found: [],
      matching: 0,
      verdict: 'silent',
    });
    answers.expect(bytes('a'));
    answers.end();
    expect(found).toEqual([{ outcome: 'match', says: 'reply 1 is answer 2 of the recording' }]);
    expect(judge.matching).toBe(1);
    expect(answers.missing).toEqual({ total: 1, numbers: [1] });
    expect(answers.differing).toEqual({ total: 0, numbers: [] });
  });

  test('differs if the recording ends without it', () => {
    const answers = new ExpectedReplies();
    const judge = new Judge([], answers.judge);
    const found: unknown[] = [];
    judge.reply(bytes('x')).later?.((settled) => found.push(settled));
    answers.expect(bytes('a'));
    answers.end();
    expect(found).toEqual([{ outcome: 'mismatch', says: 'reply 1, of 1 byte, differs from the recording' }]);
    expect(judge.verdict(1)).toBe('mismatch');
    expect(judge.reply(bytes('y')).outcome).toBe('mismatch');
    expect(answers.differing).toEqual({ total: 2, numbers: [1, 2] });
  });

  test('is a mismatch at once if it fails an expectation besides', () => {
    const answers = new ExpectedReplies();
    const judge = new Judge([expectContains(bytes('b'), 'utf8')], answers.judge);
    expect(judge.reply(bytes('a'))).toEqual({ outcome: 'mismatch', says: 'does not contain "b"' });
  });

  test('takes one of the answers that are the same each', () => {
    const answers = new ExpectedReplies();
    const judge = new Judge([], answers.judge);
    for (let n = 0; n < 3; n += 1) judge.reply(bytes('a')).later?.(() => undefined);
    answers.expect(bytes('a'));
    answers.expect(bytes('a'));
    answers.end();
    expect(judge.matching).toBe(2);
    expect(answers.differing).toEqual({ total: 1, numbers: [3] });
  });

  test('is not kept beyond the bound, which is told', () => {
    const answers = new ExpectedReplies(2);
    const judge = new Judge([], answers.judge);
    const reply = (text: string) => judge.reply(bytes(text)).later?.(() => undefined);
    reply('a');
    reply('b');
    answers.expect(bytes('a'));
    reply('c');
    expect(answers.isFull).toBe(false);
    reply('d');
    expect(answers.isFull).toBe(true);
  });
});

test('of many that differ and are missing all are counted, and the first are listed and told', () => {
  const answers = new ExpectedReplies();
  for (let n = 1; n <= 150; n += 1) answers.expect(bytes(`a${n}`));
  answers.end();
  answers.judge(bytes('a2'));
  for (let n = 1; n <= 120; n += 1) answers.judge(bytes('other'));
  expect(answers.differing).toEqual({ total: 120, numbers: Array.from({ length: 100 }, (_, index) => index + 2) });
  expect(answers.missing.total).toBe(149);
  expect(answers.missing.numbers.slice(0, 3)).toEqual([1, 3, 4]);
  expect(answers.missing.numbers).toHaveLength(100);
  expect(answers.describeDiffering()).toBe('replies 2, 3, 4, 5, 6 and 115 more differ from the recording');
  expect(answers.describeMissing()).toBe('answers 1, 3, 4, 5, 6 and 144 more of 150 did not come as recorded');
});
