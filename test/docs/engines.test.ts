import { testInNamespaces } from '../support/namespaces.js';
import { openPlace } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/engines.md');

const sessions = page.blocks('console');
testInNamespaces('the sessions are real ones', async () => {
  for (const session of sessions) {
    await using place = await openPlace();
    await place.replay(session);
  }
});

const lines = page.blocks('sh');
testInNamespaces('every command line of the page runs', async () => {
  await using place = await openPlace();
  await place.runLines(...lines);
});

testAllTaken(page);
