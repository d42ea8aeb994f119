import { cpSync, mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { FAULTS } from '../../src/faults/table.js';
import {
  FIRST_USER_PORT,
  MAX_AMPLIFICATION,
  MAX_CORRUPTED,
  MAX_IDENTICAL,
  MAX_REMEMBERED,
} from '../../src/guard/limits.js';
import { MAX_PEERS } from '../../src/stats/peers.js';
import { MAX_HELD_BACK_MS, MAX_WAITING, MAX_WAITING_BYTES } from '../../src/timing/delay-line.js';
import { constantOf, written } from '../support/constants.js';
import { testInNamespaces } from '../support/namespaces.js';
import { commandsOf, openPlace } from '../support/page-runs.js';
import { openPage, ROOT, testAllTaken } from '../support/pages.js';

const page = openPage('docs/faults.md');

const examples = page.block('sh', 'Echo, guards and faults');
testInNamespaces.concurrent('the first examples serve', async () => {
  await using place = await openPlace();
  await place.runLines(examples);
});

const echo = page.blocks('console', 'Echo');
testInNamespaces.concurrent('an echo server answers as the page shows', async () => {
  await using place = await openPlace();
  await place.replay(...echo);
});

const faults = page.blocks('console', 'Faults');
testInNamespaces.concurrent('a seed loses and duplicates the answers that the page shows', async () => {
  await using place = await openPlace();
  await place.replay(...faults);
});

test('every fault has a row in the table', () => {
  const rows = [...page.text.matchAll(/^\| `(--[\w-]+) <[^>]+>` +\|/gm)].map(([, flag]) => flag);
  const flags = Object.values(FAULTS).map((fault) => fault.flags.split(' ')[0]);
  expect(rows).toEqual(expect.arrayContaining(flags));
});

test.each([
  `source ports below ${FIRST_USER_PORT}:`,
  `identical datagrams from one peer, above ${MAX_IDENTICAL} in any second`,
  `identical datagrams from one peer at most ${MAX_IDENTICAL} times in any second`,
  `larger than ${MAX_AMPLIFICATION} times the datagram`,
  `After ${constantOf('guard/return-guard.ts', 'MAX_RETURNED')} of them in a row`,
  `After ${MAX_CORRUPTED} of them in a second`,
  `Each guard remembers ${written(MAX_REMEMBERED)} peers or datagrams`,
  `[${MAX_PEERS} peers](serve.md`,
  `The guards remember at least ${constantOf('guard/response-policy.ts', 'MIN_REMEMBERED')} `,
  `or for ${MAX_HELD_BACK_MS} ms if none leaves`,
  `has 1 to ${constantOf('faults/corrupt.ts', 'MAX_FLIPPED_BITS')} bits flipped`,
  `more than six times d away`,
  `At most ${written(MAX_WAITING)} answers wait at a time, and at most ${MAX_WAITING_BYTES / 1024 ** 2} MiB of them`,
  `0 to ${2 ** 32 - 1}`,
])('names the limit that holds: %s', (limit) => {
  expect(page.text).toContain(limit);
});

test('the delays of a normal jitter stay within six deviations', () => {
  expect(constantOf('faults/jitter.ts', 'SUMMANDS_OF_NORMAL') / 2).toBe(6);
});

test('answers that wait leave a second after a signal', () => {
  expect(page.text).toContain('But one second after a signal');
  expect(constantOf('service/outbox.ts', 'LATE_RESPONSES_MS')).toBe(1000);
});

const recovering = page.block('ts', 'Test a client while the network changes');
const running = page.block('sh', 'Test a client while the network changes');
testInNamespaces.concurrent('the test of a client that recovers passes as it is written', async () => {
  await using place = await openPlace({
    files: { 'client.test.ts': recovering.code, 'package.json': '{ "type": "module" }' },
  });
  installInto(place.folder);
  const [command = ''] = commandsOf(running.code);
  const tsc = `${process.execPath} ${join(ROOT, 'node_modules/typescript/bin/tsc')}`;
  const { status, lines } = await place.run(
    command.replace('npx tsc', tsc).replace('node --test', `${process.execPath} --test --test-reporter=tap`),
  );
  expect(lines.join('\n')).toMatch(/^# pass 1$/m);
  expect(status).toBe(0);
});

/** Installs udpcat, as the build has made it, and the client of toxiproxy. */
function installInto(folder: string): void {
  const modules = join(folder, 'node_modules');
  mkdirSync(join(modules, 'udpcat/dist'), { recursive: true });
  mkdirSync(join(modules, '@types'));
  cpSync(join(ROOT, 'dist/net'), join(modules, 'udpcat/dist/net'), { recursive: true });
  cpSync(join(ROOT, 'package.json'), join(modules, 'udpcat/package.json'));
  for (const name of ['@types/node', 'toxiproxy-node-client']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name));
  }
}

testAllTaken(page);
