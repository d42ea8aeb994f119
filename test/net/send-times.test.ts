/** Compares the times of sending with the kernel's times at the receiver. */
import { describe, expect, test } from '@jest/globals';
import { useSystemClock, wallClockMs } from '../../src/net/clock.js';
import { createSystemClock } from '../../src/net/engines/linux/system-clock.js';
import { loadSystemCalls } from '../../src/net/engines/linux/system-calls.js';
import { type Datagram, startUdpServer as startServer } from '../../src/net/index.js';
import { describeLinuxEngine, ENGINE_NAMES } from '../support/engines.js';
import { datagramError } from '../support/net.js';
import { closedAddress } from '../support/sockets.js';
import { expectTimesOfCalls, stampedByKernel } from '../support/send-times.js';

const COUNT = 600;
/** Payloads of sizes that differ, so that they are not all sent as segments of one message. */
const payloads = Array.from({ length: COUNT }, (_, index) => Buffer.alloc(1 + (index % 3)));

describeLinuxEngine('the times of sent datagrams', ({ openUdpConnection, startUdpServer }) => {
  for (const sender of ENGINE_NAMES) {
    describe(`with the ${sender} engine`, () => {
      test.each([
        [4, '127.0.0.1:0'],
        [6, '[::1]:0'],
      ] as const)('are those of the system calls that took them, over IPv%i', async (_family, local) => {
        await using receiver = await startUdpServer(local, { maxReadQueue: COUNT });
        await stampedByKernel(receiver);
        await using server = await startUdpServer(local, { engine: sender });
        await using client = await openUdpConnection(receiver.local, { engine: sender });
        const timesMs = new Float64Array(COUNT);
        for (const send of [
          () => client.sendBatch(payloads, { timesMs }),
          () =>
            server.sendBatch(
              payloads.map((data) => ({ data, remote: receiver.local })),
              { timesMs },
            ),
        ]) {
          const beforeMs = wallClockMs();
          timesMs.fill(0);
          const sending = send();
          const received: Datagram[] = [];
          while (received.length < COUNT) received.push(await receiver.recvfrom());
          expect(await sending).toEqual([]);
          expect(timesMs[0]).toBeGreaterThanOrEqual(beforeMs);
          expectTimesOfCalls(
            Array.from(timesMs),
            received.map(({ timeMs }) => timeMs),
            { leastCalls: 6 },
          );
        }
      });

      test(`are ${sender === 'node' ? 'by the clock of this process' : 'told by the kernel'} for a single datagram`, async () => {
        await using receiver = await startUdpServer('127.0.0.1:0');
        await stampedByKernel(receiver);
        await using client = await openUdpConnection(receiver.local, { engine: sender });
        const timesMs = new Float64Array(1);
        // The clock of this process is late. That of the kernel is right.
        const lateMs = wallClockMs() - 3_600_000;
        useSystemClock(() => lateMs);
        try {
          expect(await client.sendBatch([Buffer.from('x')], { timesMs })).toEqual([]);
        } finally {
          useSystemClock(createSystemClock(await loadSystemCalls()));
        }
        const { timeMs } = await receiver.recvfrom();
        if (sender === 'node') expect(timesMs[0]).toBe(lateMs);
        else expect(timesMs[0]).toBeGreaterThan(lateMs);
        expectTimesOfCalls(Array.from(timesMs), [timeMs], { leastCalls: 1 });
      });

      test('do not tell of a refusal before the sending has ended', async () => {
        await using client = await openUdpConnection(await closedAddress(), { engine: sender });
        let hasEnded = false;
        const refused = new Promise<boolean>((resolve) => {
          client.on('peerError', () => {
            resolve(hasEnded);
          });
        });
        const sending = client.sendBatch([Buffer.from('x')], { timesMs: new Float64Array(1) });
        void sending.then(() => {
          hasEnded = true;
        });
        await sending;
        expect(await refused).toBe(true);
      });

      test('are not written for what the kernel did not take', async () => {
        await using receiver = await startUdpServer('127.0.0.1:0');
        await using client = await openUdpConnection(receiver.local, { engine: sender });
        const timesMs = new Float64Array(3);
        const failures = await client.sendBatch([Buffer.from('a'), Buffer.alloc(65_508), Buffer.from('b')], {
          timesMs,
        });
        expect(failures).toMatchObject([{ index: 1, error: { code: 'TOO_LARGE' } }]);
        expect(Array.from(timesMs, (timeMs) => timeMs > 0)).toEqual([true, false, true]);
      });
    });
  }
});

describe('room for the times of sent datagrams', () => {
  test.each([[[]], [new Float32Array(1)], [new Float64Array(0)], ['text'], [null]])('is not %p', async (timesMs) => {
    await using server = await startServer('127.0.0.1:0');
    const batch = [{ data: Buffer.from('x'), remote: server.local }];
    const error = await datagramError(server.sendBatch(batch, { timesMs: timesMs as never }));
    expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/^timesMs must be/) });
  });
});
