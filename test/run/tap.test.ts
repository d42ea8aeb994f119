import { getEventListeners } from 'node:events';
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { type Datagram, type DatagramServer, formatEndpoint } from '../../src/net/index.js';
import { readCapture } from '../../src/record/reader.js';
import { createContext } from '../../src/run/context.js';
import type { RunPlan } from '../../src/run/plan.js';
import { RunOutput, type Tap } from '../../src/run/tap.js';
import { describeEngines } from '../support/engines.js';
import { type KeptIo, openIo } from '../support/in-process.js';
import { RUN_PLAN } from '../support/plans.js';
import { jsonLines } from '../support/service.js';
import { type Peer, silentServer } from '../support/sockets.js';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-tap-'));
let files = 0;

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The output of a run, the number of calls of `onEnd`, and the text on stdout. */
interface OpenOutput extends KeptIo {
  readonly output: RunOutput;
  readonly ends: number[];
}

async function openOutput(plan: RunPlan): Promise<OpenOutput> {
  const kept = openIo();
  const ends: number[] = [];
  const output = new RunOutput(plan, await createContext(kept.io, plan), () => ends.push(ends.length));
  return { ...kept, output, ends };
}

function newRecording(): { readonly path: string; readonly record: NonNullable<RunPlan['record']> } {
  files += 1;
  const path = join(folder, `${files}.pcap`);
  return { path, record: { kind: 'file', path, format: 'pcap' } };
}

/** The payloads in a recording. */
async function payloadsIn(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const batch of readCapture(createReadStream(path))) {
    for (const { data } of batch) found.push(Buffer.from(data).toString());
  }
  return found;
}

/** Sends the payloads from a peer, and receives them. */
async function received(server: DatagramServer, peer: Peer, payloads: readonly string[]): Promise<Datagram[]> {
  for (const payload of payloads) await peer.send(payload, formatEndpoint(server.local));
  const all: Datagram[] = [];
  while (all.length < payloads.length) all.push(await server.recvfrom());
  return all;
}

async function take(tap: Tap, batch: readonly Datagram[]): Promise<void> {
  await tap.write(await tap.recordReceived(batch));
}

describeEngines(({ startUdpServer }) => {
  describe.each([
    { family: 4, local: '127.0.0.1:0' },
    { family: 6, local: '[::1]:0' },
  ] as const)('the tap of a run on IPv$family', ({ family, local }) => {
    test('writes each datagram once to stdout and once to the recording, in order with the events', async () => {
      const { path, record } = newRecording();
      const { output, stdout, ends } = await openOutput({ ...RUN_PLAN, record });
      const prepared = await output.prepare();
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      const tap = await prepared.open({ bound: server.local, meta: false });
      output.event({ type: 'error', message: 'before', code: 'TEST' });
      const [first, second, third] = await received(server, peer, ['one', 'two', 'three']);
      await take(tap, [first!, second!]);
      output.event({ type: 'error', message: 'between', code: 'TEST' });
      await take(tap, [third!]);
      await tap.recordSent(
        [{ data: Buffer.from('reply'), remote: first!.remote, local: undefined }],
        Float64Array.of(5),
      );
      await tap.recorded();
      await output.close().written();
      expect(jsonLines(stdout.text).map(({ message, data }) => message ?? data)).toEqual([
        'before',
        'one',
        'two',
        'between',
        'three',
      ]);
      expect(await payloadsIn(path)).toEqual(['one', 'two', 'three', 'reply']);
      expect([output.dropped, output.unrecorded, ends]).toEqual([0, 0, []]);
    });

    test('hands on only datagrams that the recording took, and counts the others once', async () => {
      const { path, record } = newRecording();
      const { output, stdout } = await openOutput({ ...RUN_PLAN, record });
      const prepared = await output.prepare();
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      const tap = await prepared.open({ bound: server.local, meta: false });
      const [kept, late, later] = await received(server, peer, ['kept', 'late', 'later']);
      await take(tap, [kept!]);
      const closed = output.close();
      expect(await tap.recordReceived([late!, later!])).toEqual([]);
      await tap.recordSent([late!], Float64Array.of(5));
      await closed.written();
      expect(jsonLines(stdout.text).map(({ data }) => data)).toEqual(['kept']);
      expect(await payloadsIn(path)).toEqual(['kept']);
      expect([output.dropped, output.unrecorded]).toEqual([2, 1]);
    });

    test('writes no events in a format that has none, and hands on all datagrams without a recording', async () => {
      const { output, stdout } = await openOutput({ ...RUN_PLAN, output: 'hex' });
      const prepared = await output.prepare();
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      const tap = await prepared.open({ bound: server.local, meta: false });
      output.event({ type: 'error', message: 'nobody reads this', code: 'TEST' });
      const batch = await received(server, peer, ['AB']);
      expect(await tap.recordReceived(batch)).toBe(batch);
      await take(tap, batch);
      await output.close().written();
      expect([stdout.text, tap.records, tap.recordingFailed]).toEqual(['4142\n', false, false]);
    });

    test('drops the datagrams that a slow reader has not taken when writing is given up', async () => {
      const { output, stdout, ends } = await openOutput({ ...RUN_PLAN, output: 'utf8' });
      stdout._write = () => undefined;
      const prepared = await output.prepare();
      await using server = await startUdpServer(local);
      await using peer = await silentServer(family);
      const tap = await prepared.open({ bound: server.local, meta: false });
      const [first, second] = await received(server, peer, ['first', 'second']);
      const writing = tap.write([first!]);
      output.abandon();
      await writing;
      await tap.write([second!]);
      expect([output.dropped, ends]).toEqual([2, []]);
      await output.close().written();
    });
  });
});

test('no datagram can be written before the socket is open', async () => {
  const { output } = await openOutput(RUN_PLAN);
  const prepared = await output.prepare();
  // @ts-expect-error: only a tap writes datagrams, and open() makes it.
  expect([output.write, prepared.write]).toEqual([undefined, undefined]);
});

test('a file that is no recording is refused before the socket is open', async () => {
  const path = join(folder, 'foreign.pcap');
  writeFileSync(path, 'a letter to a friend, which is no capture');
  const { output } = await openOutput({ ...RUN_PLAN, record: { kind: 'file', path, format: 'pcap' } });
  await expect(output.prepare()).rejects.toMatchObject({ name: 'UsageError' });
});

test('a written output does not listen for the second signal any more', async () => {
  const force = new AbortController();
  const { io } = openIo({ force: force.signal });
  const output = new RunOutput(RUN_PLAN, await createContext(io, RUN_PLAN), () => undefined);
  expect(getEventListeners(force.signal, 'abort')).toHaveLength(1);
  await output.close().written();
  expect(getEventListeners(force.signal, 'abort')).toHaveLength(0);
});
