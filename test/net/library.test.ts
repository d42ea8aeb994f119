/** The examples of jetblack-datagram, written with the functions of this package. */
import { describe, expect, test } from '@jest/globals';
import { formatEndpoint } from '../../src/net/index.js';
import { describeEngines } from '../support/engines.js';

describeEngines(({ startUdpServer, openUdpConnection }) => {
  describe.each(['127.0.0.1:0', '[::1]:0'])('the library examples at %s', (address) => {
    test('an echo server and a client that asks it five times', async () => {
      const lines: string[] = [];

      const server = await startUdpServer(address);
      const serving = (async () => {
        for (;;) {
          const { data, remote } = await server.recvfrom();
          const text = Buffer.from(data).toString();
          lines.push(`received "${text}" from ${formatEndpoint(remote)}`);
          await server.sendto(data, remote);
          if (text === 'bye') break;
        }
        server.close();
        await server.waitClosed();
      })();

      const client = await openUdpConnection(server.local);
      for (const text of ['one', 'two', 'three', 'four', 'bye']) {
        await client.send(text);
        const answer = await client.recv();
        lines.push(`answer "${Buffer.from(answer).toString()}"`);
      }
      client.close();
      await client.waitClosed();
      await serving;

      const from = formatEndpoint(client.local);
      expect(lines).toEqual(
        ['one', 'two', 'three', 'four', 'bye'].flatMap((text) => [
          `received "${text}" from ${from}`,
          `answer "${text}"`,
        ]),
      );
    });

    test('the same with await using and for await', async () => {
      const answers: string[] = [];
      await using server = await startUdpServer(address);
      const serving = (async () => {
        for await (const { data, remote } of server) {
          await server.sendto(data, remote);
          if (data.length === 0) break;
        }
      })();

      await using client = await openUdpConnection(server.local);
      for (const text of ['hello', '']) await client.send(text);
      for await (const data of client) {
        answers.push(Buffer.from(data).toString());
        if (data.length === 0) break;
      }
      await serving;

      expect(answers).toEqual(['hello', '']);
    });
  });
});
