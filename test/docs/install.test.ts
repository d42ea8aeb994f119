import { expect } from '@jest/globals';
import { testInNamespaces } from '../support/namespaces.js';
import { openPlace } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/install.md');

const completion = page.block('bash', 'Shell completion').code.trimEnd();
testInNamespaces('bash completes udpcat after the line of the page', async () => {
  await using place = await openPlace();
  const { status, lines } = await place.run(`${completion}; complete -p udpcat`);
  expect({ status, lines }).toEqual({ status: 0, lines: [expect.stringMatching(/^complete .*-F \S+ .*udpcat$/)] });
});

testAllTaken(page);
