import { testInNamespaces } from '../support/namespaces.js';
import { openPlace } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/addresses.md');

const example = page.blocks('console', 'An example');
testInNamespaces.concurrent('one socket hears IPv4 and IPv6 as the page shows', async () => {
  await using place = await openPlace();
  await place.replay(...example);
});

const errors = [page.block('console', 'Addresses'), page.block('console', 'Values')];
testInNamespaces.concurrent('an address or value that cannot be used shows the right form', async () => {
  await using place = await openPlace();
  await place.replay(...errors);
});

const groups = page.blocks('console', 'Groups');
testInNamespaces.concurrent('a server hears a group as the page shows', async () => {
  await using place = await openPlace();
  await place.replay(...groups);
});

const lines = page.blocks('sh');
testInNamespaces.concurrent('every command line of the page runs', async () => {
  await using place = await openPlace();
  await place.runLines(...lines);
});

testAllTaken(page);
