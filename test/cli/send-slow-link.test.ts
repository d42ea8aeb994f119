/** A link that is much slower than the sender: the end does not wait for datagrams that the link has not taken. */
import { describe, expect } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { testInNamespaces } from '../support/namespaces.js';
import { Network } from '../support/network.js';
import { jsonLines } from '../support/service.js';

/** The link takes this much at once and in a second: a small part of the datagrams that are sent at full speed. */
const SLOW = 'tc qdisc add dev lan0 root tbf rate 1mbit burst 4k latency 10s';
/** Much shorter than the kernel takes for all datagrams that wait. */
const SOON_MS = 10_000;

const summary = (text: string | Buffer): Record<string, unknown> => {
  const last = jsonLines(text).at(-1);
  expect(last).toMatchObject({ sent: expect.any(Number), durationMs: expect.any(Number) });
  return last ?? {};
};

for (const engine of ENGINE_NAMES) {
  describe.each([
    [4, '10.9.8.2:7000'],
    [6, '[fd09:8::2]:7000'],
  ] as const)(`with the ${engine} engine, IPv%i, full speed over a slow link`, (_family, address) => {
    testInNamespaces(
      'ends on time, at the deadline and by a signal, and what was counted as sent arrives',
      async () => {
        await using network = await Network.open();
        await network.run('near', SLOW);
        const far = await network.serve('far', ['serve', address, '-o', 'json']);
        const flood = (size: string, ...args: readonly string[]) => {
          const how = ['--rate', 'max', '--engine', engine, '--log-format', 'json', '--stats'];
          return network.start('near', ['send', address, '--size', size, ...how, ...args]);
        };
        const interrupted = flood('1002', '--duration', '1h');
        await far.until('"size":1002');
        interrupted.kill('SIGINT');
        let sent = 0;
        for (const running of [
          interrupted,
          flood('1000', '--duration', '300ms'),
          flood('1001', '--count', '100000', '--deadline', '3s'),
        ]) {
          const counts = summary((await running.outcome).stderr);
          expect(counts.durationMs).toBeLessThan(SOON_MS);
          sent += counts.sent as number;
        }
        // The datagram that leaves last arrives last.
        await network.udpcat('near', ['send', address, '--size', '1003']);
        await far.until('"size":1003');
        far.kill();
        expect(summary((await far.outcome).stdout).received).toBe(sent + 1);
      },
      ['tc'],
    );
  });
}
