import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { explain } from '../../src/exchange/observers/explanation.js';
import { DatagramError } from '../../src/net/index.js';
import { createLog } from '../../src/output/log.js';
import { answeringServer, closedAddress, echoServer, silentServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';

/** The lines of an explanation, with … for each time. */
function steps(stderr: string): string[] {
  return stderr
    .trimEnd()
    .split('\n')
    .map((line) => line.replace(/^udpcat: [\d.]+ ms: /, '').replace(/; \d+ ms left$/, '; … left'));
}

describe.each([4, 6] as const)('--explain over IPv%d tells', (family) => {
  test('the addresses, each datagram, why a reply matched or not, and the time left', async () => {
    await using server = await answeringServer(['NOPE', 'OK'], family);
    const args = ['send', server.address, 'ping', '--expect', 'OK', '-w', '1h', '--explain'];
    const { status, stderr } = await udpcat(args);
    const [question] = await server.collect(1);
    expect(steps(stderr)).toEqual([
      `sending from ${question!.from} to ${server.address}`,
      'sent 4 bytes; … left',
      `${server.address} replied with 4 bytes: mismatch, does not contain "OK"; … left`,
      `${server.address} replied with 2 bytes: match; … left`,
    ]);
    expect(stderr).toMatch(/^(udpcat: \d+\.\d ms: [^\n]*\n){4}$/);
    expect(status).toBe(0);
  });

  sideBySide('each retransmission', async () => {
    await using server = await silentServer(family);
    const args = ['send', server.address, 'ping', '--retry', '2', '-w', '6s', '--explain', '--quiet'];
    const { stderr } = await udpcat(args);
    expect(steps(stderr).filter((step) => step.startsWith('sent'))).toEqual([
      'sent 4 bytes; … left',
      'sent 4 bytes (retransmission); … left',
      'sent 4 bytes (retransmission); … left',
    ]);
  });

  test('a refusal', async () => {
    const address = await closedAddress(family);
    const { status, stderr } = await udpcat(['send', address, 'ping', '-n', '1', '--explain']);
    expect(steps(stderr)).toContain(`${address} refused: nobody listens there (ECONNREFUSED); … left`);
    expect(status).toBe(4);
  });
});

test('--explain gives no time left without a wait', async () => {
  await using server = await echoServer();
  const { stderr } = await udpcat(['send', server.address, 'one', 'two', '', '--explain']);
  expect(steps(stderr)).toEqual([expect.stringMatching(/^sending from /), 'sent 3 datagrams, 6 bytes']);
});

sideBySide('--explain counts the time left by the wait and by the deadline, whichever comes first', async () => {
  await using server = await silentServer();
  const args = ['send', server.address, 'ping', '-w', '5s', '--deadline', '1h', '--explain'];
  const [, left] = /sent 4 bytes; (\d+) ms left/.exec((await udpcat(args)).stderr) ?? [];
  expect(Number(left)).toBeGreaterThan(0);
  expect(Number(left)).toBeLessThanOrEqual(5000);
});

test('-v has the same lines in its log', async () => {
  await using server = await echoServer();
  const { stderr } = await udpcat([
    ...['send', server.address, 'ping', '-n', '1', '-v', '--log-format', 'json', '--engine', 'node'],
  ]);
  const messages = stderr
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { msg: string }).msg);
  expect(messages).toEqual([
    expect.stringMatching(/^sending from /),
    'sent 4 bytes',
    `${server.address} replied with 4 bytes: match`,
  ]);
});

test('--explain does not fill the memory if nobody reads stderr during a flood of replies', async () => {
  const stderr = new PassThrough();
  const log = createLog(() => stderr, { level: 'info', format: 'pretty', colored: false });
  const observer = explain({ explain: true, judged: true, waitMs: 1000 }, { log });
  const say = (message: string): void => {
    observer['peer error']?.({ type: 'peer error', error: new DatagramError('REFUSED', message) });
  };
  say('first');
  await log.flush();
  for (let nth = 0; nth < 20_000; nth += 1) say(`${nth} ${'x'.repeat(200)}`);
  expect(stderr.writableLength + stderr.readableLength).toBeGreaterThan(1_000_000);
  expect(stderr.writableLength + stderr.readableLength).toBeLessThan(1_200_000);
});
