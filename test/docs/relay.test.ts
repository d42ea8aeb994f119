import { expect, test } from '@jest/globals';
import { MAX_AMPLIFICATION } from '../../src/guard/limits.js';
import { MAX_SESSIONS } from '../../src/relay/limits.js';
import { createCounts } from '../../src/relay/counts.js';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../../src/timing/delay-line.js';
import { constantOf, written } from '../support/constants.js';
import { testInNamespaces } from '../support/namespaces.js';
import { openPlace } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/relay.md');

const examples = page.block('sh');
testInNamespaces('the first examples relay', async () => {
  await using place = await openPlace();
  await place.runLines(examples);
});

const example = page.blocks('console', 'An example');
testInNamespaces('a relay shows what a client and a server say, as the page does', async () => {
  await using place = await openPlace();
  await place.replay(...example);
});

test('every count of a way has its meaning', () => {
  const { lost, ...others } = createCounts().up.fields();
  for (const name of [...Object.keys(others), ...Object.keys(lost).map((cause) => `lost.${cause}`)]) {
    expect(page.text).toContain(`\`${name}\``);
  }
});

test.each([
  `| ${MAX_SESSIONS} |`,
  `at most ${MAX_AMPLIFICATION} times the bytes`,
  `At most ${written(MAX_WAITING)} datagrams wait each way, and at most ${MAX_WAITING_BYTES / 1024 ** 2} MiB of them`,
  `| ${constantOf('commands/options/relay.ts', 'SESSION_TIMEOUT_MS') / 1000}s |`,
])('names the limit that holds: %s', (limit) => {
  expect(page.text).toContain(limit);
});

testAllTaken(page);
