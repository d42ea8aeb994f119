import { expect, test } from '@jest/globals';
import { acceptsGzip, prefersJson } from '../../src/http/accepts.js';

test.each([
  ['application/json', true],
  ['application/json; charset=utf-8', true],
  ['APPLICATION/JSON', true],
  ['text/plain, application/json;q=0.9', false],
  ['text/plain;q=0.5, application/json', true],
  ['application/*, text/plain;q=0.1', true],
  ['*/*', false],
  ['*/*, application/json;q=0', false],
  ['text/html', false],
  ['application/json;q=x', false],
  ['', false],
  [undefined, false],
])('Accept %j asks for JSON: %j', (accept, expected) => {
  expect(prefersJson(accept)).toBe(expected);
});

test.each([
  ['gzip', true],
  ['deflate, gzip;q=1.0', true],
  ['*', true],
  ['gzip;q=0, *', false],
  ['br', false],
  ['', false],
  [undefined, false],
])('Accept-Encoding %j takes gzip: %j', (encodings, expected) => {
  expect(acceptsGzip(encodings)).toBe(expected);
});
