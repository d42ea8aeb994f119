import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Daemon, startDaemon } from '../support/daemon.js';
import { describeWith } from '../support/peers.js';
import { udpcat } from '../support/in-process.js';
import { untimed } from '../support/udpcat.js';
import { hex } from './fixtures/fixture.js';
import { startProbe } from './session.js';

describeWith('memcached', 'memcached', () => {
  let server: Daemon;

  beforeAll(async () => {
    server = await startDaemon({
      program: 'memcached',
      args: ({ port }) => ['--user=root', '--listen=127.0.0.1', '--port=0', `--udp-port=${port}`],
    });
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test('tells its version, and the probe says it', async () => {
    const { status, stderr } = await udpcat(['send', server.address, '--probe', 'memcached', '-o', 'none', '-w', '1m']);
    expect({ status, stderr: untimed(stderr) }).toEqual({
      status: 0,
      stderr: expect.stringMatching(/^udpcat: memcached: version \d+\.\d+\.\d+\S*\n$/),
    });
  });
});

test.each([
  ['0000 0001 0000', 'ERROR\r\n', 'ERROR'],
  ['0000 0001 0000', 'SERVER_ERROR out of memory\r\n', 'SERVER_ERROR out of memory'],
  ['0000 0001 0000', 'CLIENT_ERROR bad command\r\n', 'CLIENT_ERROR bad command'],
  ['0000 0001 0000', 'END\r\n', 'the reply is no message of the protocol: it says END'],
  ['0000 0001 0000', 'VERSION 1\r\nEND\r\n', 'the reply is no message of the protocol: it is not one line of text'],
  ['0000 0001 0000', 'VERSION 1', 'the reply is no message of the protocol: it is not one line of text'],
  ['0000 0001 0001', 'VERSION 1\r\n', 'the reply is no message of the protocol: its reserved bytes are 1, not 0'],
  [
    '0001 0002 0000',
    'VERSION 1\r\n',
    'the reply is no message of the protocol: it is part 2 of 2, and a version needs no second one',
  ],
])('a reply of %s and %j to a memcached probe is none', async (header, text, reason) => {
  const { request, judge } = await startProbe('memcached');
  const reply = Buffer.concat([request.subarray(0, 2), hex(header), Buffer.from(text)]);
  expect(judge(reply)).toEqual({ outcome: 'mismatch', says: `memcached: ${reason}` });
});
