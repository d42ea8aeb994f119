import { expect, test } from '@jest/globals';
import { parseAddressBlock } from '../../src/guard/access-list.js';
import { Gate, type GatePlan } from '../../src/http/gate.js';
import type { HttpError } from '../../src/http/reply.js';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

/** The status of a refusal; 200 if there is none. */
function statusOf(
  plan: Partial<GatePlan>,
  headers: Readonly<Record<string, string>>,
  address: string | undefined = '127.0.0.1',
  isLoopback = true,
): number {
  try {
    new Gate({ token: undefined, allow: undefined, ...plan }).check(
      { host: 'localhost', ...headers },
      address,
      isLoopback,
    );
    return 200;
  } catch (error) {
    return (error as HttpError).status;
  }
}

test.each<[string, Readonly<Record<string, string>>, number]>([
  ['a client', { 'user-agent': 'curl/8' }, 200],
  ['a client without a name', {}, 200],
  ['a browser', { 'user-agent': 'Mozilla/5.0 (X11)' }, 403],
  ['a client that names Mozilla elsewhere', { 'user-agent': 'tool (like Mozilla/5.0)' }, 200],
  ['a page', { origin: 'http://localhost:3000' }, 403],
  ['a page without an origin', { 'sec-fetch-site': 'cross-site' }, 403],
  ['a page of a name that resolves to the loopback', { host: 'evil.example' }, 403],
])('%s', (_who, headers, status) => {
  expect(statusOf({}, headers)).toBe(status);
});

test('beyond the loopback the header Host may have a name', () => {
  expect(statusOf({}, { host: 'relay.example' }, '192.0.2.1', false)).toBe(200);
  expect(statusOf({}, { origin: 'http://relay.example' }, '192.0.2.1', false)).toBe(403);
});

test.each<[string, string | undefined, number]>([
  ['no token', undefined, 401],
  ['the token', 'Bearer secret', 200],
  ['the token with another case of the scheme', 'bEARER secret', 200],
  ['a wrong token', 'Bearer Secret', 401],
  ['a longer token', 'Bearer secret1', 401],
  ['an empty token', 'Bearer ', 401],
  ['another scheme', 'Digest secret', 401],
  ['the password of Basic', basic('anybody:secret'), 200],
  ['the password without a user', basic(':secret'), 200],
  ['the name of Basic', basic('secret:'), 401],
  ['Basic without a colon', basic('secret'), 401],
  ['a wrong password', basic('secret:secre'), 401],
])('with a token, %s', (_what, authorization, status) => {
  expect(statusOf({ token: 'secret' }, authorization === undefined ? {} : { authorization })).toBe(status);
});

test('a password may have colons', () => {
  expect(statusOf({ token: 'a:b' }, { authorization: basic('x:a:b') })).toBe(200);
});

test('a refusal for want of a token names the schemes', () => {
  expect(() => {
    new Gate({ token: 'secret', allow: undefined }).check({}, '127.0.0.1', false);
  }).toThrow(
    expect.objectContaining({
      headers: expect.objectContaining({ 'WWW-Authenticate': expect.stringMatching(/^Bearer .*, Basic /) }),
    }),
  );
});

test.each<[string | undefined, number]>([
  ['192.0.2.7', 200],
  ['::ffff:192.0.2.7', 200],
  ['192.0.3.7', 403],
  ['127.0.0.1', 403],
  ['::1', 200],
  [undefined, 403],
])('of allowed networks, %s gets %i', (address, status) => {
  const allow = ['192.0.2.0/24', '::1'].map(parseAddressBlock);
  const gate = new Gate({ token: undefined, allow });
  let found = 200;
  try {
    gate.check({}, address, false);
  } catch (error) {
    found = (error as HttpError).status;
  }
  expect(found).toBe(status);
});

test('a token and networks are both needed', () => {
  const plan = { token: 'secret', allow: [parseAddressBlock('192.0.2.0/24')] };
  expect(statusOf(plan, { authorization: 'Bearer secret' }, '192.0.2.1', false)).toBe(200);
  expect(statusOf(plan, {}, '192.0.2.1', false)).toBe(401);
  expect(statusOf(plan, { authorization: 'Bearer secret' }, '192.0.3.1', false)).toBe(403);
});
