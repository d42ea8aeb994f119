import { expect, test } from '@jest/globals';
import { TCP_TYPES, TOXIC_TYPES } from '../../src/relay/http/toxic-types.js';
import { constantOf } from '../support/constants.js';
import { testInNamespaces } from '../support/namespaces.js';
import { openPlace } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/relay-http.md');

const [examples, token] = page.blocks('sh');
testInNamespaces('the command lines of the page relay', async () => {
  await using place = await openPlace();
  await place.runLines(examples, token!);
});

const example = page.blocks('console', 'An example');
testInNamespaces(
  'curl changes the faults of a relay as the page shows',
  async () => {
    await using place = await openPlace();
    await place.replay(...example);
  },
  ['curl'],
);

test.each([...Object.keys(TOXIC_TYPES), ...TCP_TYPES])('the page names the toxic %s', (type) => {
  expect(page.text).toContain(`\`${type}\``);
});

test.each([
  `at most ${constantOf('relay/http/proxies.ts', 'MAX_PROXIES')} relays exist at a time`,
  `at most ${constantOf('relay/http/proxies.ts', 'MAX_TOXICS')} toxics each`,
  `of at most 64 KiB`,
])('names the limit that holds: %s', (limit) => {
  expect(page.text.toLowerCase()).toContain(limit.toLowerCase());
});

testAllTaken(page);
