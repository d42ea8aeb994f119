import { expect, test } from '@jest/globals';
import {
  FIRST_USER_PORT,
  MAX_AMPLIFICATION,
  MAX_CORRUPTED,
  MAX_IDENTICAL,
  MAX_REMEMBERED,
} from '../../src/guard/limits.js';
import { LEAST_LIKENESS } from '../../src/input/numbered-header.js';
import { MAX_PAYLOAD_BYTES } from '../../src/net/index.js';
import { MAX_PEERS } from '../../src/stats/peers.js';
import { MAX_WAITING, MAX_WAITING_BYTES } from '../../src/timing/delay-line.js';
import { constantOf, written } from '../support/constants.js';
import { testInNamespaces } from '../support/namespaces.js';
import { commandsOf, ended, expectShown, openPlace, stepsOf } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/serve.md');

const [examples] = page.blocks('sh');
const [dns, door] = page.blocks('yaml', 'Rules');
testInNamespaces.concurrent('the first examples serve', async () => {
  await using place = await openPlace({ files: { 'service.yaml': door!.code } });
  await place.runLines(examples);
});

const session = page.blocks('console', 'Start and stop');
testInNamespaces.concurrent('two terminals show what the page shows', async () => {
  await using place = await openPlace();
  await place.replay(...session);
});

const lossy = page.block('yaml', 'Conditions');
const [dnsServer, dnsClient, doorServer, doorClient] = page.blocks('console', 'Rules');
testInNamespaces.concurrent('a name server of ten lines of rules answers as the page shows', async () => {
  expect(dns.code.trimEnd().split('\n').length).toBeLessThanOrEqual(10);
  await using place = await openPlace({ files: { 'dns.yaml': dns.code } });
  await place.replay(dnsServer, dnsClient!);
});

testInNamespaces.concurrent(
  'the name server of the page answers dig and kdig, with EDNS and without',
  async () => {
    await using place = await openPlace({ files: { 'dns.yaml': dns.code } });
    await using server = place.start('udpcat serve 127.0.0.1:5300 --rules dns.yaml -o none --no-stats');
    await server.until('listening on');
    const dig = 'dig @127.0.0.1 -p 5300 +tries=1 +timeout=100';
    const kdig = 'kdig @127.0.0.1 -p 5300 +retry=0 +timeout=100';
    for (const client of [dig, `${dig} +noedns`, `${dig} +norecurse`, kdig, `${kdig} +edns`, `${kdig} +bufsize=4096`]) {
      for (const [question, status, address] of [
        ['example.com', 'NOERROR', '192.0.2.10'],
        ['WWW.Example.com', 'NOERROR', '192.0.2.10'],
        ['example.com AAAA', 'NOERROR', undefined],
        ['example.com.org', 'NXDOMAIN', undefined],
        ['.', 'NXDOMAIN', undefined],
      ]) {
        const { lines } = await place.run(`${client} ${question} | expand`);
        const [, said] = /status: (\w+)/.exec(lines.join('\n')) ?? [];
        const [, found] = /^[^;].*\sA\s+([\d.]+)$/m.exec(lines.join('\n')) ?? [];
        expect({ client, question, status: said, address: found }).toEqual({ client, question, status, address });
      }
    }
  },
  ['dig', 'kdig'],
);

testInNamespaces.concurrent('the server that answers only the third request does so', async () => {
  await using place = await openPlace({ files: { 'lossy.yaml': lossy.code } });
  await using server = place.start('udpcat serve 8000 --rules lossy.yaml -o none');
  await server.until('listening on');
  const { lines, status } = await place.run('udpcat send 8000 ping ping ping -n 1 --wait 60s --no-stats');
  expect({ pong: lines.at(-1), status }).toEqual({ pong: expect.stringMatching(/pong$/), status: 0 });
});
testInNamespaces.concurrent('rules of text answer as the page shows', async () => {
  await using place = await openPlace({ files: { 'door.yaml': door!.code } });
  await place.replay(doorServer!, doorClient!);
});

const [upperCase = '', saying = ''] = commandsOf(page.block('sh', 'Programs').code);
testInNamespaces.concurrent('the programs of the examples answer', async () => {
  for (const { line, answer } of [
    { line: upperCase, answer: 'HELLO' },
    { line: saying, answer: '127.0.0.1 said hello' },
  ]) {
    await using place = await openPlace();
    await using server = place.start(line);
    await server.until('listening on');
    const { lines, status } = await place.run('udpcat send 8000 hello --wait 60s --no-stats --no-meta');
    expect({ line, lines, status }).toEqual({ line, lines: [answer], status: 0 });
  }
});

const access = page.block('sh', 'Allow and deny');
testInNamespaces.concurrent('the examples of access serve', async () => {
  await using place = await openPlace();
  await place.runLines(access);
});

const [reporting, traffic] = page.blocks('console', 'Live line, report and summary');
testInNamespaces.concurrent('SIGUSR2 and the end report as the page shows', async () => {
  await using place = await openPlace();
  const [{ command, shown }] = stepsOf(reporting.code);
  await using server = place.start(command);
  await server.until('listening on');
  const [many, one] = stepsOf(traffic!.code);
  expectShown(many.command, (await place.run(many.command)).lines, many.shown);
  await place.run("kill -USR2 $(ss -Hulpn 'sport = 8000' | sed 's/.*pid=//; s/,.*//')");
  await server.until('since the start');
  expectShown(one!.command, (await place.run(one!.command)).lines, one!.shown);
  await server.until('2 peers');
  server.type('\x03');
  // A slow machine has a lower rate, in another unit.
  const sameUnit = (lines: readonly string[]): string[] => lines.map((line) => line.replace(' kB/s', ' B/s'));
  expectShown(command, sameUnit((await ended(server)).lines), sameUnit(shown));
});

const way = page.blocks('console', 'The way to the server');
testInNamespaces.concurrent('the server tells what was lost on the way as the page shows', async () => {
  await using place = await openPlace();
  await place.replay(...way);
});

const transfer = (bytes: number): string => `${bytes / 1024 ** 2} MiB`;

test.each([
  `${written(MAX_PAYLOAD_BYTES[4])} bytes, or ${written(MAX_PAYLOAD_BYTES[6])} bytes with \`-6\``,
  `(${written(MAX_PAYLOAD_BYTES[4])} bytes to IPv4, ${written(MAX_PAYLOAD_BYTES[6])} to IPv6)`,
  `of at most ${transfer(constantOf('rules/rules-file.ts', 'MAX_FILE_BYTES'))}`,
  `1 to ${MAX_PAYLOAD_BYTES[6]} are possible`,
  `At most ${written(MAX_WAITING)} answers are delayed at a time, and at most ${transfer(MAX_WAITING_BYTES)} of them`,
  `due within ${constantOf('responders/rule-responder.ts', 'GRACE_MS') / 1000} seconds`,
  `nothing of its output is sent | ${constantOf('commands/options/responses.ts', 'EXEC_TIMEOUT_MS') / 1000}s |`,
  `[queue](#lost-datagrams) | ${constantOf('commands/options/responses.ts', 'EXEC_CONCURRENCY')} |`,
  `up to ${constantOf('responders/line-taker.ts', 'MAX_LINES')} lines of a run`,
  `up to ${constantOf('responders/line-taker.ts', 'MAX_LINE_BYTES')} bytes of a line`,
  `the first ${MAX_PEERS};`,
  `the ${constantOf('stats/peers.ts', 'PEERS_IN_WORDS')} that sent most`,
  `the ${constantOf('stats/peers.ts', 'PEERS_IN_JSON')} that sent most`,
  `the latest ${constantOf('stats/numbered-peer.ts', 'MAX_RUNS')} runs`,
  `fewer than ${LEAST_LIKENESS} bytes of the run's number`,
  `at most ${constantOf('stats/peers.ts', 'MAX_GAPS')} gaps`,
  `fewer gaps, ${constantOf('stats/peers.ts', 'MIN_GAPS')} at least`,
  `its first ${constantOf('stats/numbered-peer.ts', 'READS')} datagrams`,
  `source ports below ${FIRST_USER_PORT} |`,
  `at most ${MAX_IDENTICAL} answers in any second`,
  `after ${constantOf('guard/return-guard.ts', 'MAX_RETURNED')} in a row`,
  `after ${MAX_CORRUPTED} in a second`,
  `at most ${MAX_AMPLIFICATION} times the datagram`,
  `${written(MAX_REMEMBERED)}; \`--max-peers\` sets another number, but never below ${constantOf('guard/response-policy.ts', 'MIN_REMEMBERED')}`,
])('names the limit that holds: %s', (limit) => {
  expect(page.text).toContain(limit);
});

testAllTaken(page);
