import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { describe, expect } from '@jest/globals';
import {
  answeringServer,
  closedAddress,
  echoServer,
  type Family,
  hostAndPort,
  silentServer,
} from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { untimed } from '../support/udpcat.js';
import { splitName } from '../../src/probes/session.js';
import type { ProbeFixture } from './fixtures/fixture.js';
import { FIXTURES } from './fixtures/index.js';

/** Time to wait for a reply: long enough on a busy machine, and short enough for a test that waits until its end. */
const SHORT = '3s';

/**
 * Sends the real reply from another address: another host over IPv4, another port over IPv6 (its loopback has one
 * address).
 */
async function strayService(family: Family, { reply }: ProbeFixture): Promise<AsyncDisposable & { address: string }> {
  const other = createSocket({ type: `udp${family}` });
  const listening = once(other, 'listening');
  other.bind(0, family === 4 ? '127.0.0.2' : '::1');
  await listening;
  const asked = await silentServer(family);
  asked.socket.on('message', (data, from) => {
    other.send(reply(data), from.port, from.address);
  });
  return {
    address: asked.address,
    [Symbol.asyncDispose]: async () => {
      await asked[Symbol.asyncDispose]();
      const closed = once(other, 'close');
      other.close();
      await closed;
    },
  };
}

async function probe(address: string, { probe }: ProbeFixture, wait: string) {
  const { status, stderr } = await udpcat(['send', address, '--probe', probe, '-o', 'none', '-w', wait]);
  return { status, stderr };
}

describe.each(FIXTURES)('--probe $probe', (fixture) => {
  const [name] = splitName(fixture.probe);

  describe.each([4, 6] as const)('over IPv%d', (family) => {
    sideBySide('is 0 for the genuine reply, and tells what it learned', async () => {
      await using server = await answeringServer((request) => [fixture.reply(request)], family);
      const { status, stderr } = await probe(server.address, fixture, '1m');
      expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/^udpcat: [^\n]+\n$/) });
      expect(untimed(stderr).slice(`udpcat: ${name}: `.length, -1)).toMatch(fixture.says);
    });

    sideBySide('is 4 where nobody listens', async () => {
      expect(await probe(await closedAddress(family), fixture, '1m')).toMatchObject({ status: 4 });
    });

    sideBySide('is 3 for silence', async () => {
      await using server = await silentServer(family);
      expect(await probe(server.address, fixture, SHORT)).toEqual({
        status: 3,
        stderr: `udpcat: ${server.address} did not answer within 3s\n`,
      });
    });

    sideBySide('is 5 for another protocol, and says why', async () => {
      await using server = await answeringServer(['220 mail.example ESMTP\r\n'], family);
      const { status, stderr } = await probe(server.address, fixture, SHORT);
      expect(status).toBe(5);
      expect(stderr).toMatch(new RegExp(`^udpcat: ${name}: [^\\n]+ \\(.*:${hostAndPort(server.address).port}\\)\\n$`));
    });

    sideBySide('is 5 for a service that sends everything back', async () => {
      await using server = await echoServer(family);
      expect(await probe(server.address, fixture, SHORT)).toMatchObject({ status: 5 });
    });

    // The IPv6 loopback has only one address, and replies may come from any port of it.
    if (fixture.anyPort === true && family === 6) return;
    sideBySide('is 6 for the genuine reply from another address', async () => {
      await using server = await strayService(family, fixture);
      expect(await probe(server.address, fixture, SHORT)).toMatchObject({ status: 6 });
    });
  });
});
