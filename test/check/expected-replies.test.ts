import { describe, expect, test } from '@jest/globals';
import { expectContains } from '../../src/check/expectation.js';
import { Judge } from '../../src/check/judge.js';
import { ExpectedReplies } from '../../src/check/expected-replies.js';

const bytes = (text: string): Buffer => Buffer.from(text);

describe('a reply that comes before its expected reply was read', () => {
  test('matches once the expected reply is read', () => {
    const expected = new ExpectedReplies();
    const judge = new Judge([], expected.judge);
    const found: unknown[] = [];
    const { outcome, later } = judge.reply(bytes('a'));
    later?.((settled) => found.push(settled));
    expected.expect(bytes('b'));
    expect({ outcome, found, matching: judge.matching, verdict: judge.verdict(1) }).toEqual({
      outcome: 'pending',
      found: [],
      matching: 0,
      verdict: 'silent',
    });
    expected.expect(bytes('a'));
    expected.end();
    expect(found).toEqual([{ outcome: 'match', says: 'reply 1 is answer 2 of the recording' }]);
    expect(judge.matching).toBe(1);
    expect(expected.missing).toEqual({ total: 1, numbers: [1] });
    expect(expected.differing).toEqual({ total: 0, numbers: [] });
  });

  test('differs if the recording ends without it', () => {
    const expected = new ExpectedReplies();
    const judge = new Judge([], expected.judge);
    const found: unknown[] = [];
    judge.reply(bytes('x')).later?.((settled) => found.push(settled));
    expected.expect(bytes('a'));
    expected.end();
    expect(found).toEqual([{ outcome: 'mismatch', says: 'reply 1, of 1 byte, differs from the recording' }]);
    expect(judge.verdict(1)).toBe('mismatch');
    expect(judge.reply(bytes('y')).outcome).toBe('mismatch');
    expect(expected.differing).toEqual({ total: 2, numbers: [1, 2] });
  });

  test('is a mismatch at once if it also fails an expectation', () => {
    const expected = new ExpectedReplies();
    const judge = new Judge([expectContains(bytes('b'), 'utf8')], expected.judge);
    expect(judge.reply(bytes('a'))).toEqual({ outcome: 'mismatch', says: 'does not contain "b"' });
  });

  test('matches one of several equal expected replies', () => {
    const expected = new ExpectedReplies();
    const judge = new Judge([], expected.judge);
    for (let n = 0; n < 3; n += 1) judge.reply(bytes('a')).later?.(() => undefined);
    expected.expect(bytes('a'));
    expected.expect(bytes('a'));
    expected.end();
    expect(judge.matching).toBe(2);
    expect(expected.differing).toEqual({ total: 1, numbers: [3] });
  });

  test('is not kept beyond the limit, and the object says that it is full', () => {
    const expected = new ExpectedReplies(2);
    const judge = new Judge([], expected.judge);
    const reply = (text: string) => judge.reply(bytes(text)).later?.(() => undefined);
    reply('a');
    reply('b');
    expected.expect(bytes('a'));
    reply('c');
    expect(expected.isFull).toBe(false);
    reply('d');
    expect(expected.isFull).toBe(true);
  });
});

test('many differing and missing replies are all counted, and the first are listed and described', () => {
  const expected = new ExpectedReplies();
  for (let n = 1; n <= 150; n += 1) expected.expect(bytes(`a${n}`));
  expected.end();
  expected.judge(bytes('a2'));
  for (let n = 1; n <= 120; n += 1) expected.judge(bytes('other'));
  expect(expected.differing).toEqual({ total: 120, numbers: Array.from({ length: 100 }, (_, index) => index + 2) });
  expect(expected.missing.total).toBe(149);
  expect(expected.missing.numbers.slice(0, 3)).toEqual([1, 3, 4]);
  expect(expected.missing.numbers).toHaveLength(100);
  expect(expected.describeDiffering()).toBe('replies 2, 3, 4, 5, 6 and 115 more differ from the recording');
  expect(expected.describeMissing()).toBe('answers 1, 3, 4, 5, 6 and 144 more of 150 did not come as recorded');
});
