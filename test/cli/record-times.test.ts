/** The time of a sent datagram in a recording is that of the system call that took it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { type Datagram, type DatagramServer, startUdpServer } from '../../src/net/index.js';
import { ENGINE_NAMES, testWithLinuxEngine } from '../support/engines.js';
import { standStill } from '../support/flood.js';
import { expectTimesOfCalls, stampedByKernel } from '../support/send-times.js';
import { jsonLines } from '../support/service.js';
import { start, udpcat } from '../support/udpcat.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'udpcat-times-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const COUNT = 600;
/** Numbered payloads. Their sizes differ, so that they are not sent as segments of one message. */
const payloads = Array.from({ length: COUNT }, (_, index) => String(index).padStart(4 + (index % 3), '0'));

/** Largest difference between the clocks of udpcat and of the kernel. The node engine has a clock of its own. */
const OFF_MS = { node: 1, linux: 0 } as const;

interface Recorded {
  readonly payload: string;
  readonly timeMs: number;
}

function recorded(path: string, direction: 'in' | 'out'): Recorded[] {
  return jsonLines(readFileSync(path))
    .filter(({ dir }) => dir === direction)
    .map(({ time, data }) => {
      const [, seconds = '', fraction = ''] = /^(.*)(\.\d{6})Z$/.exec(time as string) ?? [];
      return { payload: data as string, timeMs: Date.parse(`${seconds}Z`) + Number(fraction) * 1000 };
    });
}

async function collect(receiver: DatagramServer): Promise<Recorded[]> {
  const all: Datagram[] = [];
  while (all.length < COUNT) all.push(await receiver.recvfrom());
  return all.map(({ data, timeMs }) => ({ payload: Buffer.from(data).toString(), timeMs }));
}

async function openReceiver(local: string): Promise<DatagramServer> {
  const receiver = await startUdpServer(local, { engine: 'linux', maxReadQueue: COUNT });
  await stampedByKernel(receiver);
  return receiver;
}

function expectRecordedTimes(sent: readonly Recorded[], received: readonly Recorded[], offMs: number): void {
  expect(sent.map(({ payload }) => payload)).toEqual(payloads);
  expect(received.map(({ payload }) => payload)).toEqual(payloads);
  const times = (all: readonly Recorded[]): number[] => all.map(({ timeMs }) => timeMs);
  expectTimesOfCalls(times(sent), times(received), { leastCalls: 6, offMs });
}

for (const engine of ENGINE_NAMES) {
  for (const [family, local] of [
    [4, '127.0.0.1:0'],
    [6, '[::1]:0'],
  ] as const) {
    testWithLinuxEngine(`of the responses of echo, ${engine} engine, over IPv${family}`, async () => {
      const record = join(folder, `echo-${engine}-${family}.jsonl`);
      const args = ['echo', local, '--engine', engine, '--no-loop-guard', '--record', record, '-c', String(COUNT)];
      await using running = start([...args, '--queue-size', String(COUNT)]);
      const remote = await running.listening();
      await using receiver = await openReceiver(local);
      const [, host = '', port = ''] = /^\[?(.*?)\]?:(\d+)$/.exec(remote) ?? [];
      const to = { address: host, port: Number(port) };
      // All requests wait in the kernel, so that the server responds to them together.
      await standStill(running);
      const failures = await receiver.sendBatch(payloads.map((text) => ({ data: Buffer.from(text), remote: to })));
      expect(failures).toEqual([]);
      running.kill('SIGCONT');
      const received = await collect(receiver);
      expect((await running.outcome).status).toBe(0);
      expectRecordedTimes(recorded(record, 'out'), received, OFF_MS[engine]);
      // Each request stands before its response.
      const lines = jsonLines(readFileSync(record)).map(({ dir, data }) => `${dir as string} ${data as string}`);
      const places = new Map(lines.map((line, place) => [line, place]));
      const beforeRequest = payloads.filter((text) => places.get(`in ${text}`)! > places.get(`out ${text}`)!);
      expect(beforeRequest).toEqual([]);
      expect(recorded(record, 'in').map(({ payload }) => payload)).toEqual(payloads);
    });

    testWithLinuxEngine(`of what send sends, ${engine} engine, over IPv${family}`, async () => {
      const record = join(folder, `send-${engine}-${family}.jsonl`);
      await using receiver = await openReceiver(local);
      const { address, port } = receiver.local;
      const to = family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
      const sending = udpcat(['send', to, '--engine', engine, '--record', record], { stdin: payloads.join('\n') });
      const received = await collect(receiver);
      expect((await sending).status).toBe(0);
      expectRecordedTimes(recorded(record, 'out'), received, OFF_MS[engine]);
    });
  }
}
