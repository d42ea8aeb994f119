import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { constantOf, written } from '../support/constants.js';
import { testInNamespaces } from '../support/namespaces.js';
import { commandsOf, ended, openPlace, type Place } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/recordings.md');
const [records, replays] = page.blocks('sh', 'Record and replay');

const [toPcap = '', toJsonLines = '', toRow = '', toStdout = ''] = commandsOf(records.code);
testInNamespaces.concurrent('the first examples record', async () => {
  await using place = await openPlace();
  for (const line of [toPcap, toJsonLines, toRow]) await recordOne(place, line);
  expect((await readdir(place.folder)).map((name) => name.replace(/\d{4}-.*Z/, 'START')).sort()).toEqual([
    'day.START.pcap',
    'today.jsonl',
    'today.pcap',
  ]);
});

testInNamespaces.concurrent(
  'tshark reads a recording on stdout',
  async () => {
    await using place = await openPlace();
    await using server = place.start(toStdout);
    await server.until('listening on');
    await place.run('udpcat send 8000 hello');
    await server.until(/127\.0\.0\.1 +(?:→|->) +127\.0\.0\.1 +UDP/);
    server.type('\x03');
    await ended(server);
  },
  ['tshark'],
);

/** Has a server record one datagram. */
async function recordOne(place: Place, line: string): Promise<void> {
  await using server = place.start(line);
  await server.until('listening on');
  await place.run('udpcat send 8000 hello');
  await server.until('5 bytes: hello');
  server.type('\x03');
  await ended(server);
}

const [atRecordedPace = '', again = '', compared = '', fromPipe = ''] = commandsOf(replays!.code);
testInNamespaces.concurrent('the first examples replay', async () => {
  await using place = await openPlace();
  await recordOne(place, toPcap);
  await using server = place.start('udpcat serve 127.0.0.1:8000 -o json');
  await server.until('listening on');
  for (const [line, count] of [
    [atRecordedPace, 1],
    [again, 4],
  ] as const) {
    expect({ line, status: (await place.run(line)).status }).toEqual({ line, status: 0 });
    await server.until(RegExp(`(?:"data":"hello"[^]*){${count}}`));
  }
});

testInNamespaces.concurrent('the example of a comparison sends the queries, and hears the answers', async () => {
  await using place = await openPlace();
  await using answers = place.start("udpcat serve 192.0.2.1:53 --reply 'an answer' --record queries.pcap");
  await answers.until('listening on');
  await place.run("udpcat send 192.0.2.1:53 'a query' --wait 60s");
  // The reading tells formats apart by their contents, not by their names.
  await place.run('cp queries.pcap queries.pcapng');
  expect(await place.run(`${compared} --wait 60s --no-stats`)).toEqual({ status: 0, lines: [] });
});

testInNamespaces.concurrent(
  'a capture of tcpdump is replayed from a pipe',
  async () => {
    await using place = await openPlace();
    // A capture of the loopback must not see the datagrams that it makes: they go to another port.
    const line = fromPipe.replace('127.0.0.1:8000', '127.0.0.1:8001').replace('-w -', '-i lo -w -');
    await using server = place.start('udpcat serve 127.0.0.1:8001');
    await server.until('listening on');
    await using capture = place.start(line);
    await capture.until('listening on lo');
    await place.run('udpcat send 8000 hello');
    await server.until('5 bytes: hello');
    capture.type('\x03');
    await ended(capture);
  },
  ['tcpdump'],
);

const session = [
  ...page.blocks('console', 'Record'),
  ...page.blocks('console', 'Replay'),
  ...page.blocks('console', 'Expect replay'),
];
testInNamespaces.concurrent('recordings, replays and comparisons show what the page shows', async () => {
  await using place = await openPlace();
  await using other = place.start('udpcat serve 127.0.0.1:8001 --reply bong');
  await other.until('listening on');
  await place.replay(...session);
  expect(existsSync(join(place.folder, 'calls.jsonl'))).toBe(true);
});

test.each([
  `${constantOf('exchange/sources/replay-account.ts', 'MAX_SENDERS')} senders are possible`,
  `Of these early replies, \`send\` keeps at most ${written(constantOf('check/expected-replies.ts', 'MAX_EARLY'))}.`,
])('names the limit that holds: %s', (limit) => {
  expect(page.text).toContain(limit);
});

test('names the limits that are words', () => {
  expect(page.text).toContain('Beyond a hundred receivers');
  expect(constantOf('exchange/sources/replay-report.ts', 'MAX_LISTED')).toBe(100);
  expect(page.text).toContain('the `numbers` of the first hundred');
  expect(constantOf('check/expected-replies.ts', 'MAX_LISTED')).toBe(100);
  expect(page.text).toContain('a gap of a minute or more');
  expect(constantOf('exchange/sources/replay.ts', 'LONG_WAIT_MS')).toBe(60_000);
  expect(page.text).toContain('At least a second lies between');
  expect(constantOf('timing/replay-clock.ts', 'MIN_ROUND_MS')).toBe(1000);
});

testAllTaken(page);
