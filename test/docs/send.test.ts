import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { MAX_PIECE_BYTES } from '../../src/input/framing.js';
import { HEADER_BYTES } from '../../src/input/payload.js';
import { MAX_PAYLOAD_BYTES } from '../../src/net/index.js';
import { constantOf, written } from '../support/constants.js';
import { testInNamespaces } from '../support/namespaces.js';
import { commandsOf, ended, openPlace } from '../support/page-runs.js';
import { openPage, testAllTaken } from '../support/pages.js';

const page = openPage('docs/send.md');
const TITLE = 'Send, wait and judge: `udpcat send`';

const [messages, checks] = page.blocks('sh', TITLE);
testInNamespaces.concurrent('the examples of messages send what the page says', async () => {
  await using place = await openPlace({ files: { 'packet.bin': 'a packet', 'app.log': 'first\n' } });
  await using server = place.start('udpcat serve 127.0.0.1:8000 -o json');
  await server.until('listening on');
  const lines = commandsOf(messages.code);
  const follows = lines.findIndex((line) => line.startsWith('tail -f'));
  for (const line of lines.filter((_, index) => index !== follows)) {
    expect({ line, status: (await place.run(line)).status }).toEqual({ line, status: 0 });
  }
  await server.until(/(?:"size":200[^]*){10}/);
  for (const payload of ['"size":5,"data":"hello"', '"size":0,"data":""', '"base64":"3q2+7w=="', '"data":"a packet"']) {
    await server.until(payload);
  }
  await using logs = place.start('udpcat serve 192.0.2.1:5140');
  await logs.until('listening on');
  await using following = place.start(lines[follows] ?? '');
  await logs.until('5 bytes: first');
  appendFileSync(join(place.folder, 'app.log'), 'second\n');
  await logs.until('6 bytes: second');
  following.type('\x03');
  await ended(following);
});

testInNamespaces.concurrent('the examples of checks are answered', async () => {
  await using place = await openPlace();
  await using echo = place.start('udpcat echo 127.0.0.1:7000');
  await echo.until('listening on');
  await using several = place.start("udpcat serve 192.0.2.1:9999 --shell --exec 'true' -o none");
  await several.until('listening on');
  const discovers = commandsOf(checks!.code).findIndex((line) => line.includes('--any-source'));
  for (const [index, line] of commandsOf(checks!.code).entries()) {
    // Limits for a machine that is busy.
    const unhurried = line.replaceAll(/(-w|--wait|--deadline) \S+/g, '$1 60s');
    const limit = unhurried === line && index !== discovers ? ' --wait 60s' : '';
    const { status } = await place.run(`${unhurried}${limit}`);
    // One host is there for the question to many, and says nothing.
    expect({ line, status }).toEqual({ line, status: index === discovers ? 3 : 0 });
  }
});

const strays = page.block('sh', 'Replies from other addresses');
testInNamespaces.concurrent('the question to a broadcast address is sent', async () => {
  await using place = await openPlace();
  await place.runLines(strays);
});

const pipeline = page.block('sh', 'Frames');
testInNamespaces.concurrent('datagrams arrive elsewhere as they were', async () => {
  await using place = await openPlace();
  await using elsewhere = place.start('udpcat serve 127.0.0.1:9000 -o json');
  await elsewhere.until('listening on');
  const [line = ''] = commandsOf(pipeline.code);
  await using between = place.start(line);
  await between.until('listening on');
  await place.run("udpcat send 8000 '' hello && udpcat send 8000 -e hex 'ff 00'");
  for (const payload of ['"size":0,"data":""', '"data":"hello"', '"base64":"/wA="']) await elsewhere.until(payload);
});

const badLine = page.block('console', 'Frames');
testInNamespaces.concurrent('a line that cannot be sent is told as the page shows', async () => {
  await using place = await openPlace();
  await place.replay(badLine);
});

for (const heading of ['Judge', 'Explain', 'Measure', 'Loss']) {
  const session = page.block('console', heading);
  testInNamespaces.concurrent(`the session below "${heading}" is a real one`, async () => {
    await using place = await openPlace();
    await using echo = place.start('udpcat echo 127.0.0.1:7000');
    await echo.until('listening on');
    await place.replay(session);
  });
}

const numbered = page.block('sh', 'Numbered payloads');
testInNamespaces.concurrent('payloads are numbered or not as the page says', async () => {
  await using place = await openPlace();
  await using server = place.start('udpcat serve 192.0.2.1:8000 -o none --stats');
  await server.until('listening on');
  await using echo = place.start('udpcat echo 127.0.0.1:7000');
  await echo.until('listening on');
  for (const line of commandsOf(numbered.code)) {
    expect({ line, status: (await place.run(line.replace('-w 1s', '-w 60s'))).status }).toEqual({ line, status: 0 });
  }
  server.type('\x03');
  expect((await ended(server)).lines.join('\n')).toContain('0 lost (0%)');
});

test.each([
  `at most ${written(MAX_PAYLOAD_BYTES[4])} bytes to an IPv4 address, and ${written(MAX_PAYLOAD_BYTES[6])} to an IPv6 address`,
  `more than ${MAX_PIECE_BYTES / 1024 ** 2} MiB before it is decoded`,
  `at most ${written(constantOf('exchange/sources/kept-messages.ts', 'MAX_MESSAGES'))} datagrams and ${constantOf('exchange/sources/kept-messages.ts', 'MAX_BYTES') / 1024 ** 2} MiB`,
  `| ${constantOf('commands/options/send-plan.ts', 'DEFAULT_WAIT_MS') / 1000}s if another option asks for replies`,
  `| ${constantOf('exchange/sources/pacing.ts', 'DEFAULT_INTERVAL_MS') / 1000}s `,
  `the first ${constantOf('exchange/observers/output.ts', 'MAX_STRAY_LINES')} strays`,
  `for each of the first ${constantOf('stats/responders.ts', 'RESPONDERS_IN_WORDS')} responders`,
  `has the first ${constantOf('stats/responders.ts', 'MAX_RESPONDERS')} (\`responders\`)`,
  `for at most ${constantOf('exchange/hearing.ts', 'MAX_LATE_JUDGING_MS')} ms`,
  `stopped ${constantOf('exchange/hearing.ts', 'MAX_LATE_EXAMINING_MS')} ms after the wait`,
  `from ${HEADER_BYTES} bytes on`,
  `begins with ${HEADER_BYTES} bytes`,
  `the latest ${written(constantOf('check/requests.ts', 'MAX_REMEMBERED'))} requests`,
  `at most ${constantOf('check/round-trips.ts', 'MAX_BUCKETS')} \`{ fromMs, toMs, count }\``,
])('names the limit that holds: %s', (limit) => {
  expect(page.text).toContain(limit);
});

test('a conversation waits for another second', () => {
  expect(page.text).toContain('for replies for another second');
  expect(constantOf('commands/options/send-plan.ts', 'TYPING_WAIT_MS')).toBe(1000);
});

testAllTaken(page);
