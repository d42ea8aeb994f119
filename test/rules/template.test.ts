import { describe, expect, test } from '@jest/globals';
import { EncodingError } from '../../src/text/encoding.js';
import { matchRegex } from '../../src/rules/matcher.js';
import { RuleRequest } from '../../src/rules/rule-request.js';
import { parseTemplate } from '../../src/rules/template.js';
import { fc, holds, payloads } from '../support/property.js';

const remote = { address: '192.0.2.7', port: 4000 };
const requestOf = (data: Uint8Array): RuleRequest =>
  new RuleRequest({ data, remote, local: undefined, timeMs: Date.UTC(2026, 10, 22, 8) + 0.125 });

interface Asked {
  readonly data?: string;
  readonly regex?: string;
  readonly encoding?: 'utf8' | 'hex';
}

async function fill(written: string, { data = '', regex = '', encoding = 'utf8' }: Asked = {}) {
  const matcher = await matchRegex(regex);
  const request = requestOf(Buffer.from(data));
  const captures = matcher.match(request) ?? [];
  return Buffer.from(parseTemplate(written, encoding, matcher)({ request, captures, counter: 3 }));
}

describe('a template', () => {
  test.each([
    { written: 'plain', answer: 'plain' },
    { written: '', answer: '' },
    { written: 'hello {1}, {name}: {0}', answer: 'hello a, b: ab' },
    { written: '{counter} {peer} {time}', answer: '3 192.0.2.7:4000 2026-11-22T08:00:00.000125Z' },
    { written: '{data}{data:1}{data:1..}{data:..1}{data:0..0}{data:9..}', answer: 'abc' + 'b' + 'bc' + 'ab' + 'a' },
    { written: '{{1}} }}{{', answer: '{1} }{' },
  ])('$written becomes $answer', async ({ written, answer }) => {
    expect((await fill(written, { data: 'abc', regex: '(a)(?P<name>b)' })).toString()).toBe(answer);
  });

  test('in hex has bytes between its fields, and bytes in them', async () => {
    expect((await fill('00 {data:0..1}FF{1}', { data: 'abc', regex: '(c)', encoding: 'hex' })).toString('hex')).toBe(
      '006162ff63',
    );
  });

  test.each([
    ['de:ad:{1}', 'dead63'],
    ['{1}:{1}', '6363'],
    ['0xde-{1} , ff', 'de63ff'],
    ['{1},0a,{1}', '630a63'],
    ['\\xde \\xad{1}', 'dead63'],
  ])('in hex takes a separator beside a field: %s', async (written, hex) => {
    expect((await fill(written, { data: 'abc', regex: '(c)', encoding: 'hex' })).toString('hex')).toBe(hex);
  });

  test.each(['de:{1}::ad', '{1}:', ':{1}', '{1}::{1}', 'd:{1}'])(
    'in hex has no separator without a byte: %s',
    async (written) => {
      await expect(fill(written, { data: 'abc', regex: '(c)', encoding: 'hex' })).rejects.toThrow(/hex digits/);
    },
  );

  test('has a group that took no part as nothing', async () => {
    expect((await fill('[{1}]', { data: 'b', regex: '(a)|b' })).toString()).toBe('[]');
  });

  test('has other random bytes each time', async () => {
    const [one, two] = [await fill('{random:16}'), await fill('{random:16}')];
    expect([one.length, two.length]).toEqual([16, 16]);
    expect(one.equals(two)).toBe(false);
  });

  test.each([
    ['{', /"\{" is no field.*\{\{/],
    ['}', /"\}" is no field/],
    ['{}', /\{\} is no field/],
    ['{2}', /\{2\} is no field, and the rule's regex has no such group/],
    ['{nosuch}', /\{nosuch\} is no field/],
    ['{toString}', /\{toString\} is no field/],
    ['{counter:1}', /is no field/],
    ['{data:}', /no range of bytes/],
    ['{data:..}', /no range of bytes/],
    ['{data:5..2}', /no range of bytes/],
    ['{random:0}', /from 1 to 65527/],
    ['{random:65528}', /from 1 to 65527/],
    ['{random}', /is no field/],
    ['x'.repeat(65_528), /more than a datagram holds/],
  ])('that is wrong is told so: %.20s', async (written, says) => {
    await expect(fill(written, { regex: '(a)' })).rejects.toThrow(says);
    await expect(fill(written, { regex: '(a)' })).rejects.toBeInstanceOf(EncodingError);
  });

  test('has whatever text with its braces doubled as that text', () => {
    holds(
      fc.property(fc.string({ unit: 'binary' }), payloads, (text, data) => {
        const template = parseTemplate(text.replace(/[{}]/g, '$&$&'), 'utf8', undefined);
        const filled = template({ request: requestOf(data), captures: [], counter: 1 });
        expect(Buffer.from(filled).equals(Buffer.from(text))).toBe(true);
      }),
    );
  });

  test('has every slice of every payload exactly', () => {
    holds(
      fc.property(payloads, fc.nat(70), fc.nat(70), (data, from, more) => {
        const template = parseTemplate(`{data:${from}..${from + more}}`, 'hex', undefined);
        const filled = template({ request: requestOf(data), captures: [], counter: 1 });
        expect(Buffer.from(filled).equals(Buffer.from(data).subarray(from, from + more + 1))).toBe(true);
      }),
    );
  });
});
