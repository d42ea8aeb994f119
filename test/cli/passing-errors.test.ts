/** The system has no memory for a moment: nothing ends by that, and nothing is lost. */
import { describe, expect } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { jsonLines, sendAll } from '../support/service.js';
import { arrivals, closedAddress, type Family, silentServer } from '../support/sockets.js';
import { startFailing, testWithFailingCalls } from '../support/strace.js';

const RECEIVING = 'recvmsg,recvmmsg';
const SENDING = 'sendmsg,sendmmsg';

const PAYLOADS = ['one', '', 'two', 'three'];
const loopback = (family: Family): string => (family === 4 ? '127.0.0.1:0' : '[::1]:0');

const receiveErrors = (stderr: string): number => Number(/(\d+) failures? to receive/.exec(stderr)?.[1] ?? 0);

/** The linux engine makes each call once to try it out: the second is the first of the socket. */
for (const engine of ENGINE_NAMES) {
  for (const family of [4, 6] as const) {
    describe(`with the ${engine} engine, over IPv${family}`, () => {
      for (const error of ['ENOMEM', 'ENOBUFS']) {
        for (const [when, failures] of [
          ['2', 1],
          ['2..13', 12],
        ] as const) {
          testWithFailingCalls(
            `serve takes every datagram though receiving fails ${failures} times with ${error}, and says so once`,
            async () => {
              const args = ['serve', loopback(family), '--engine', engine, '-c', '4', '-o', 'json', '--stats'];
              await using running = startFailing({ calls: RECEIVING, error, when }, args);
              await using peer = await silentServer(family);
              await sendAll(peer, await running.listening(), PAYLOADS);
              const { stdout, stderr, status } = await running.outcome;
              const lines = jsonLines(stdout);
              expect(lines.filter(({ type }) => type === 'datagram').map(({ data }) => data)).toEqual(PAYLOADS);
              expect(lines.filter(({ type }) => type === 'error')).toMatchObject([{ code: 'RECEIVE_FAILED' }]);
              expect(lines.at(-1)).toMatchObject({ type: 'summary', received: 4, receiveErrors: failures });
              expect(stderr.match(new RegExp(`warning: cannot receive on .*\\(${error}\\)`, 'g'))).toHaveLength(1);
              expect(receiveErrors(stderr)).toBe(failures);
              expect(status).toBe(0);
            },
          );
        }
      }

      testWithFailingCalls('serve that can receive no more asks seldom, and ends as it is told', async () => {
        const args = ['serve', loopback(family), '--engine', engine, '-o', 'json', '--stats'];
        await using running = startFailing({ calls: RECEIVING, error: 'ENOMEM', when: '2+' }, args);
        await using peer = await silentServer(family);
        await sendAll(peer, await running.listening(), PAYLOADS);
        const asking = setInterval(() => {
          running.kill('SIGUSR2');
        }, 50);
        await running.until(/([2-9]\d|\d{3,}) failures to receive/, 'stderr');
        clearInterval(asking);
        running.kill('SIGTERM');
        const { stdout, status } = await running.outcome;
        expect(status).toBe(0);
        const summary = jsonLines(stdout).at(-1) as { receiveErrors: number; durationMs: number };
        // The first few at once, the next in short turn, and more at the end.
        const most = engine === 'linux' ? 25 + summary.durationMs / 100 : 25 + summary.durationMs / 10;
        expect(summary.receiveErrors).toBeLessThan(most);
      });

      for (const error of ['ENOMEM', 'ENOBUFS']) {
        testWithFailingCalls(
          `send sends every datagram once and in order though sending fails 30 times with ${error}`,
          async () => {
            await using server = await silentServer(family);
            // Without a deadline, send gives up after a second, in which a busy machine may not make 30 calls.
            const args = ['send', server.address, '--engine', engine, '--deadline', '200s', ...PAYLOADS];
            await using running = startFailing({ calls: SENDING, error, when: '2..31' }, args);
            expect(await running.outcome).toMatchObject({ stderr: '', status: 0 });
            expect(await arrivals(server)).toEqual(PAYLOADS);
          },
        );
      }

      testWithFailingCalls('send hears of a refusal though receiving fails once', async () => {
        const args = ['send', await closedAddress(family), 'hello', '--engine', engine];
        // The first call of the node engine, the first of the linux engine that reads the error queue.
        const when = engine === 'node' ? '1' : '2';
        await using running = startFailing({ calls: RECEIVING, error: 'ENOMEM', when }, args);
        expect((await running.outcome).status).toBe(4);
      });
    });
  }
}

for (const engine of ENGINE_NAMES) {
  describe(`with the ${engine} engine`, () => {
    for (const error of ['ENOMEM', 'ENOBUFS']) {
      testWithFailingCalls(
        `send with a deadline says how many it sent when sending fails with ${error} until then`,
        async () => {
          await using server = await silentServer();
          const args = ['send', server.address, '--engine', engine, '--deadline', '12s', ...PAYLOADS];
          await using running = startFailing({ calls: SENDING, error, when: '2+' }, args);
          const { stderr, status } = await running.outcome;
          expect(status).toBe(1);
          const arrived = await arrivals(server);
          expect(arrived).toEqual(PAYLOADS.slice(0, arrived.length));
          expect(arrived.length).toBeLessThan(PAYLOADS.length);
          const count = { 0: 'nothing was', 1: '1 datagram was' }[arrived.length] ?? `${arrived.length} datagrams were`;
          expect(stderr).toMatch(new RegExp(`; ${count}( sent before)?\n$`));
        },
      );
    }

    testWithFailingCalls('echo that can send no more counts what is not answered, and ends as it is told', async () => {
      const args = ['echo', '--engine', engine, '-c', '4', '--stats'];
      await using running = startFailing({ calls: SENDING, error: 'ENOMEM', when: '2+' }, args);
      await using peer = await silentServer();
      await sendAll(peer, await running.listening(), ['1', '2', '3', '4']);
      const { stderr, status } = await running.outcome;
      const [, sent = '', unanswered = ''] = / 4 received, (\d+) sent, (\d+) not answered/.exec(stderr) ?? [];
      expect(Number(sent) + Number(unanswered)).toBe(4);
      expect(Number(unanswered)).toBeGreaterThan(0);
      expect(stderr).toContain('the system has no memory left (ENOMEM)');
      expect(status).toBe(0);
    });
  });
}

if (ENGINE_NAMES.includes('linux')) {
  testWithFailingCalls('send with a deadline offers a datagram again for as long as that allows', async () => {
    await using server = await silentServer();
    // More than a second of it, after which it would give up without a deadline.
    const args = ['send', server.address, '--engine', 'linux', '--deadline', '200s', 'late'];
    await using running = startFailing({ calls: SENDING, error: 'ENOBUFS', when: '2..1100' }, args);
    expect(await running.outcome).toMatchObject({ stderr: '', status: 0 });
    expect(await arrivals(server)).toEqual(['late']);
  });
}
