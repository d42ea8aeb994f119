import { expect, test } from '@jest/globals';
import { type OriginHeaders, whyForeign } from '../../src/http/origin.js';

test.each<[string, OriginHeaders]>([
  ['curl', { host: '127.0.0.1:9000' }],
  ['Prometheus at a name', { host: 'localhost:9000' }],
  ['an IPv6 address', { host: '[::1]:9000' }],
  ['capitals', { host: 'LOCALHOST' }],
  ['a user who types the address', { host: '127.0.0.1:9000', 'sec-fetch-site': 'none' }],
  ['its own page', { host: '127.0.0.1:9000', 'sec-fetch-site': 'same-origin' }],
  ['HTTP/1.0', {}],
])('%s may ask on the loopback', (_who, headers) => {
  expect(whyForeign(headers, true)).toBeUndefined();
});

test.each<[string, OriginHeaders]>([
  ['a script of another page', { host: '127.0.0.1', origin: 'http://evil.example' }],
  ['a sandboxed page', { host: '127.0.0.1', origin: 'null' }],
  ['an image of another page', { host: '127.0.0.1', 'sec-fetch-site': 'cross-site' }],
  ['a page of another port', { host: '127.0.0.1', 'sec-fetch-site': 'same-site' }],
  ['two values', { host: '127.0.0.1', 'sec-fetch-site': 'none, cross-site' }],
])('%s must not ask, wherever the server listens', (_who, headers) => {
  expect(whyForeign(headers, true)).toMatch(/must not ask/);
  expect(whyForeign(headers, false)).toMatch(/must not ask/);
});

test.each([
  'evil.example',
  'evil.example:9000',
  '127.0.0.1.evil.example',
  'localhost.evil.example',
  '[evil.example]',
  '[127.0.0.1]',
  '2130706433',
  '127.1',
  'localhost:9000@evil',
  'localhost:x',
  '',
])('a name that was made to resolve to the loopback must not ask: Host %j', (host) => {
  expect(whyForeign({ host }, true)).toMatch(/Host/);
  // Elsewhere a reverse proxy and its users have names.
  expect(whyForeign({ host }, false)).toBeUndefined();
});
