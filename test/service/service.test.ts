import { getEventListeners } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextRound } from 'node:timers/promises';
import { describe, expect, test } from '@jest/globals';
import { parseCidr } from '../../src/guard/access-list.js';
import { ResponsePolicy } from '../../src/guard/response-policy.js';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import {
  type Datagram,
  DatagramError,
  type EngineName,
  formatEndpoint,
  openUdpConnection,
} from '../../src/net/index.js';
import { type Responder, respondEach, type Sink } from '../../src/responders/responder.js';
import { createContext } from '../../src/run/context.js';
import { ExitCode } from '../../src/run/exit-code.js';
import { Report } from '../../src/run/report.js';
import { RunOutput } from '../../src/run/tap.js';
import type { ServicePlan } from '../../src/service/plan.js';
import { Gate } from '../../src/service/responses.js';
import { runService, type Service } from '../../src/service/service.js';
import { Unanswered } from '../../src/service/unanswered.js';
import { PeerTable } from '../../src/stats/peers.js';
import { ENGINE_NAMES } from '../support/engines.js';
import { openIo } from '../support/in-process.js';
import { servicePlan } from '../support/plans.js';
import { canBind, type JsonLine, jsonLines } from '../support/service.js';
import { arrivals, type Family, hostAndPort, silentServer } from '../support/sockets.js';

/** A service that runs in this process. */
interface Running {
  /** The address that it is bound to. */
  readonly address: string;
  /** Resolves to the exit status. */
  readonly ended: Promise<ExitCode>;
  readonly events: () => JsonLine[];
  readonly stderr: () => string;
  readonly stop: AbortController;
  readonly force: AbortController;
}

async function start(plan: ServicePlan, service: Partial<Service> = {}): Promise<Running> {
  const stop = new AbortController();
  const force = new AbortController();
  const { io, stdout, stderr } = openIo({ stop: stop.signal, force: force.signal });
  const context = await createContext(io, plan);
  let ended!: Promise<ExitCode>;
  const address = await new Promise<string>((resolve, reject) => {
    ended = runService(plan, context, {
      meta: false,
      ...service,
      start: (server) => {
        resolve(formatEndpoint(server.local));
        return () => undefined;
      },
    });
    ended.then(() => {
      reject(new Error(stderr.text));
    }, reject);
  });
  return { address, ended, stop, force, events: () => jsonLines(stdout.text), stderr: () => stderr.text };
}

const reversed = (data: Uint8Array): Uint8Array => Uint8Array.from(data).reverse();

const CASES = ENGINE_NAMES.flatMap((engine) =>
  ([4, 6] as const).map((family) => ({ engine, family, local: family === 4 ? '127.0.0.1:0' : '[::1]:0' })),
) satisfies readonly { engine: EngineName; family: Family; local: string }[];

describe.each(CASES)('a service with the $engine engine on IPv$family', ({ engine, family, local }) => {
  test('hears, responds, writes, and ends after --count', async () => {
    const plan = servicePlan(local, { count: 3, socket: { engine } });
    const { address, ended, events } = await start(plan, { responder: respondEach(reversed) });
    await using peer = await silentServer(family);
    for (const payload of ['abc', 'def', 'ghi']) await peer.send(payload, address);
    const responses = await peer.collect(3);
    expect(responses.map(({ data, from }) => [data.toString(), from])).toEqual([
      ['cba', address],
      ['fed', address],
      ['ihg', address],
    ]);
    expect(await ended).toBe(ExitCode.ok);
    expect(events()).toMatchObject([
      { type: 'listening', address },
      { type: 'datagram', from: peer.address, to: address, data: 'abc' },
      { type: 'datagram', data: 'def' },
      { type: 'datagram', data: 'ghi' },
      { type: 'summary', received: 3, sent: 3, peers: [{ peer: peer.address, received: 3, answered: 3 }] },
    ]);
  });

  test('sends runs back, by its responder or without it, and counts each datagram', async () => {
    const payloads = Array.from({ length: 40 }, (_, nth) => `${nth}`.padStart(nth === 39 ? 5 : 50, '-'));
    for (const echoes of [true, false]) {
      const plan = servicePlan(local, { output: 'none', stats: true, socket: { engine } });
      const responder = { ...respondEach((data) => data), echoes };
      const { address, ended, stderr, stop } = await start(plan, { responder });
      await using client = await openUdpConnection(address, { engine });
      await client.sendBatch(payloads);
      const responses: string[] = [];
      while (responses.length < payloads.length) responses.push(Buffer.from(await client.recv()).toString());
      expect(responses).toEqual(payloads);
      stop.abort('SIGTERM');
      expect(await ended).toBe(ExitCode.ok);
      expect(stderr()).toContain('40 received');
      expect(stderr()).toContain(`${payloads.join('').length} bytes (5 to 50 each)`);
      expect(stderr()).toContain('40 answered');
    }
  });

  test('writes and records each datagram of runs, in order', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'udpcat-service-'));
    try {
      const path = join(folder, 'datagrams.jsonl');
      const payloads = Array.from({ length: 40 }, (_, nth) => `${nth}"`.padStart(nth === 39 ? 5 : 50, '-'));
      const record = { kind: 'file', path, format: 'jsonl' } as const;
      const { address, ended, events, stop } = await start(servicePlan(local, { record, socket: { engine } }));
      await using client = await openUdpConnection(address, { engine });
      await client.sendBatch(payloads);
      // The service reads the datagrams that have arrived before it ends.
      stop.abort('SIGTERM');
      expect(await ended).toBe(ExitCode.ok);
      const received = events().filter(({ type }) => type === 'datagram');
      expect(received.map(({ data }) => data)).toEqual(payloads);
      expect(events().at(-1)).toMatchObject({ type: 'summary', received: 40 });
      const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
      expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(received);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test('ends by a signal, once responses that were not ready are sent, and leaves no listener', async () => {
    const requests: Datagram[] = [];
    let sink: Sink | undefined;
    let heard!: () => void;
    const twoWereHeard = new Promise<void>((resolve) => (heard = resolve));
    const responder: Responder = {
      take: (batch, given) => {
        sink = given;
        requests.push(...batch);
        if (requests.length === 2) heard();
      },
      hurry: () => {
        for (const request of requests.splice(0)) {
          const response = sink?.permit(request, request.data);
          if (response !== undefined) sink?.sendLate([response]);
        }
      },
    };
    const plan = servicePlan(local, { socket: { engine } });
    const { address, ended, events, stop, force } = await start(plan, { responder });
    await using peer = await silentServer(family);
    for (const payload of ['first', 'second']) await peer.send(payload, address);
    await twoWereHeard;
    stop.abort('SIGTERM');
    expect(await ended).toBe(ExitCode.ok);
    expect((await peer.collect(2)).map(({ data }) => data.toString())).toEqual(['first', 'second']);
    expect(events().at(-1)).toMatchObject({ type: 'summary', received: 2, sent: 2 });
    expect(getEventListeners(force.signal, 'abort')).toEqual([]);
  });

  test('has responses fail, gives others up, counts both, and tells each reason', async () => {
    const responder: Responder = {
      take: (batch, sink) => {
        for (const { remote, data } of batch) {
          if (data.length === 1) sink.fail(remote, 'it is too short');
          else sink.giveUp(1, 'there are too many');
        }
      },
    };
    const plan = servicePlan(local, { count: 3, socket: { engine } });
    const { address, ended, events, stderr } = await start(plan, { responder });
    await using peer = await silentServer(family);
    for (const payload of ['a', 'bb', 'cc']) await peer.send(payload, address);
    expect(await ended).toBe(ExitCode.ok);
    expect(events().at(-1)).toMatchObject({ type: 'summary', received: 3, sent: 0, unanswered: 3 });
    expect(events()).toContainEqual(expect.objectContaining({ code: 'ANSWER_FAILED', peer: peer.address }));
    expect(stderr().match(/it is too short/g)).toHaveLength(1);
    expect(stderr().match(/there are too many/g)).toHaveLength(1);
  });

  test('keeps datagrams out by --deny, and counts them', async () => {
    const host = family === 4 ? '127.0.0.1' : '::1';
    const plan = servicePlan(local, { deny: [parseCidr(host)!], socket: { engine } });
    const { address, ended, events, stop } = await start(plan, { responder: respondEach(reversed) });
    await using peer = await silentServer(family);
    await peer.send('denied', address);
    stop.abort('SIGINT');
    expect(await ended).toBe(ExitCode.ok);
    expect(events().map(({ type }) => type)).toEqual(['listening', 'summary']);
    expect(events().at(-1)).toMatchObject({ received: 0, sent: 0, denied: 1 });
  });

  test('has status 1 and says why, if its address is taken', async () => {
    await using peer = await silentServer(family);
    const plan = servicePlan(peer.address, { socket: { engine } });
    const { io, stdout } = openIo();
    expect(await runService(plan, await createContext(io, plan), { meta: false })).toBe(ExitCode.failure);
    expect(jsonLines(stdout.text)).toMatchObject([{ type: 'error', code: 'OPEN_FAILED' }, { type: 'summary' }]);
  });
});

test.each(ENGINE_NAMES)(
  'an error ends a service with the %s engine, once its delayed responses have left',
  async (engine) => {
    const plan = servicePlan('127.0.0.1:0', { delay: 3_600_000, socket: { engine } });
    const taken = ([first]: readonly Datagram[]): void => {
      if (first?.data.length === 0) throw new DatagramError('RECEIVE_FAILED', 'the test makes it fail');
    };
    const { address, ended, events, stderr, force } = await start(plan, { responder: respondEach(reversed), taken });
    await using peer = await silentServer();
    await peer.send('abc', address);
    await peer.send('def', address);
    while (events().length < 3) await nextRound();
    await peer.send('', address);
    expect(await ended).toBe(ExitCode.failure);
    expect(await arrivals(peer)).toEqual(['cba', 'fed']);
    expect(stderr()).toContain('the test makes it fail');
    expect(events().at(-1)).toMatchObject({ type: 'summary', received: 3, sent: 2 });
    const { host, port } = hostAndPort(address);
    expect(await canBind(host, port)).toBe(true);
    expect(getEventListeners(force.signal, 'abort')).toEqual([]);
  },
);

describe('what numbered payloads show of the way to a service', () => {
  const OUTPUTS = ['none', 'raw', 'json'] as const;
  const RUNS = OUTPUTS.flatMap((output) => CASES.map((one) => ({ ...one, output })));

  /** Runs a service while `send` sends to it. Returns the peers of its summary. */
  async function serveWhile(plan: ServicePlan, send: (address: string) => Promise<void>): Promise<readonly JsonLine[]> {
    const { address, ended, stderr, stop } = await start({ ...plan, logFormat: 'json', stats: true });
    await send(address);
    stop.abort('SIGTERM');
    expect(await ended).toBe(ExitCode.ok);
    return jsonLines(stderr()).at(-1)?.['peers'] as readonly JsonLine[];
  }

  /** Copies of the payloads with these numbers. */
  const payloadsOf = (generator: NumberedPayloads, numbers: readonly number[]): Buffer[] =>
    numbers.map((number) => Buffer.from(generator.take(number, 1)[0]!));

  test.each(RUNS)(
    'is counted by peer and run: -o $output, $engine engine, IPv$family',
    async ({ output, engine, family, local }) => {
      const plan = servicePlan(local, { output, queueSize: 4096, socket: { engine } });
      const first = payloadsOf(new NumberedPayloads(100), [0, 1, 2, 4, 3, 3, 7, 8]);
      first[2]![50]! ^= 4;
      const again = payloadsOf(new NumberedPayloads(200), [0, 2]);
      const many = payloadsOf(
        new NumberedPayloads(64),
        Array.from({ length: 700 }, (_, number) => number),
      );
      await using one = await silentServer(family);
      await using text = await silentServer(family);
      const peers = await serveWhile(plan, async (address) => {
        // Many datagrams of equal size: the linux engine sends and receives them together.
        await using other = await openUdpConnection(address, { engine });
        await other.sendBatch(many.slice(0, 400));
        for (const payload of first.slice(0, 5)) await one.send(payload, address);
        await other.sendBatch(many.slice(450));
        for (const payload of [...first.slice(5), ...again]) await one.send(payload, address);
        await text.send('a line without a number', address);
      });
      expect(peers).toHaveLength(3);
      const [large, small, unnumbered] = peers;
      const none = { lost: 0, lossPercent: 0, duplicated: 0, reordered: 0, corrupted: 0 };
      expect(large).toMatchObject({ received: 650, ...none, lost: 50, lossPercent: 7.14 });
      expect(small).toMatchObject({
        peer: one.address,
        received: 10,
        ...{ lost: 3, lossPercent: 25, duplicated: 1, reordered: 1, corrupted: 1 },
      });
      expect(unnumbered).toMatchObject({ peer: text.address, received: 1 });
      for (const field of Object.keys(none)) expect(unnumbered).not.toHaveProperty(field);
    },
  );
});

test('faults without a responder are a usage error', async () => {
  const plan = servicePlan('127.0.0.1:0', { loss: 0.5 });
  const { io } = openIo();
  const run = runService(plan, await createContext(io, plan), { meta: false });
  await expect(run).rejects.toMatchObject({ name: 'UsageError' });
});

describe('the gate of a service', () => {
  const STRANGER = { address: '192.0.2.1', port: 5000 };
  const request: Datagram = { data: Buffer.from('12'), remote: STRANGER, local: undefined, timeMs: 0 };

  async function openGate(changes: Partial<ServicePlan> = {}): Promise<{ gate: Gate; report: Report }> {
    const plan = servicePlan('127.0.0.1:0', changes);
    const { io } = openIo();
    const context = await createContext(io, plan);
    const report = new Report(plan, context, new RunOutput(plan, context, () => undefined));
    const local = { address: '127.0.0.1', port: 1 };
    const policy = new ResponsePolicy({ local, loopGuard: true, servicePorts: false });
    return { gate: new Gate(plan, policy, new Unanswered(context, report, new PeerTable(true), policy)), report };
  }

  test('permits a response of 3 times the request, forbids a larger one, and counts that', async () => {
    const { gate, report } = await openGate();
    expect(gate.permit(request, Buffer.alloc(6))).toMatchObject({ data: Buffer.alloc(6), remote: STRANGER });
    expect(report.totals.unanswered).toBe(0);
    expect(gate.permit(request, Buffer.alloc(7))).toBeUndefined();
    expect(report.totals.unanswered).toBe(1);
  });

  test('judges all responses to a request by their size together', async () => {
    const { gate, report } = await openGate();
    const [first, second] = gate.permitAll(request, [Buffer.alloc(3), Buffer.alloc(3)]);
    expect(first?.together).toBe(second?.together);
    expect(first?.together).toBeDefined();
    expect(gate.permitAll(request, [Buffer.alloc(3), Buffer.alloc(4)])).toEqual([]);
    expect(report.totals.unanswered).toBe(1);
    expect(gate.permitAll(request, [])).toEqual([]);
    expect(report.totals.unanswered).toBe(1);
  });

  test('counts copies that --duplicate makes, and lets everything through with --amplify', async () => {
    const doubled = await openGate({ duplicate: 1 });
    expect(doubled.gate.permit(request, Buffer.alloc(4))).toBeUndefined();
    const amplifying = await openGate({ amplify: true });
    expect(amplifying.gate.permit(request, Buffer.alloc(1000))).toBeDefined();
  });
});

test('only responses that the guard has permitted can be sent', () => {
  const careless: Responder = {
    take: (batch, sink) =>
      // @ts-expect-error: these datagrams did not pass permit() or permitAll().
      sink.send(batch.map(({ data, remote, local }) => ({ data, remote, local }))),
  };
  expect(careless).toBeDefined();
});
