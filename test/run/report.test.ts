import { once } from 'node:events';
import { describe, expect, test } from '@jest/globals';
import { DatagramError, formatEndpoint } from '../../src/net/index.js';
import { createContext } from '../../src/run/context.js';
import type { RunPlan } from '../../src/run/plan.js';
import { type Details, Report } from '../../src/run/report.js';
import { RunOutput } from '../../src/run/tap.js';
import { describeEngines } from '../support/engines.js';
import { openIo } from '../support/in-process.js';
import { RUN_PLAN } from '../support/plans.js';
import { type JsonLine, jsonLines } from '../support/service.js';
import { silentServer } from '../support/sockets.js';

/** A report, and its output so far. */
interface OpenReport {
  readonly output: RunOutput;
  readonly report: Report;
  /** The events on stdout. */
  readonly events: () => JsonLine[];
  /** All of stderr, without colours. */
  readonly told: () => Promise<string>;
}

async function openReport(changes: Partial<RunPlan> = {}, details?: () => Details): Promise<OpenReport> {
  const plan = { ...RUN_PLAN, ...changes };
  const { io, stdout, stderr } = openIo();
  const context = await createContext(io, plan);
  const output = new RunOutput(plan, context, () => undefined);
  const report = new Report(plan, context, output, details);
  return {
    output,
    report,
    events: () => jsonLines(stdout.text),
    told: async () => {
      await context.log.flush();
      return stderr.text;
    },
  };
}

const REFUSED = new DatagramError('REFUSED', '127.0.0.1:9: nobody listens', {
  peer: { address: '127.0.0.1', port: 9 },
});

describe('the report of a run', () => {
  test('ends with the drops, the last event and the summary, in that order', async () => {
    const { output, report, events } = await openReport({}, () => ({ fields: { peers: [] }, lines: [] }));
    report.totals.received = 3;
    report.drops.queueDropped(2);
    report.drops.queueDropped(1);
    report.drops.watchKernel({ kernelDropped: 4, kernelDropsAreLowerBound: true });
    report.drops.askKernel();
    const last = { type: 'verdict', verdict: 'ok', replies: 0, address: '127.0.0.1:9' } as const;
    await report.finish(output.close(), last).written();
    expect(events()).toMatchObject([
      { type: 'drop', where: 'kernel', count: 4 },
      { type: 'drop', where: 'queue', count: 3 },
      { type: 'verdict', verdict: 'ok' },
      {
        type: 'summary',
        received: 3,
        dropped: { kernel: 4, queue: 3, output: 0 },
        kernelIsLowerBound: true,
        peers: [],
      },
    ]);
  });

  test('asks the kernel at the end only if it was asked before', async () => {
    const asked: string[] = [];
    const counter = (name: string) => ({
      get kernelDropped() {
        asked.push(name);
        return 0;
      },
      kernelDropsAreLowerBound: false,
    });
    const unasked = await openReport();
    unasked.report.drops.watchKernel(counter('unasked'));
    unasked.report.finish(unasked.output.close());
    const once = await openReport();
    once.report.drops.watchKernel(counter('asked'));
    once.report.drops.askKernel();
    once.report.finish(once.output.close());
    expect(asked).toEqual(['asked', 'asked']);
    expect(unasked.events()).toMatchObject([{ type: 'summary', dropped: { kernel: null } }]);
  });

  test('tells each kind of drop on stderr once', async () => {
    const { output, report, told } = await openReport({ queueSize: 7 });
    for (let nth = 0; nth < 3; nth += 1) report.drops.queueDropped(1);
    let kernelDropped = 0;
    report.drops.watchKernel({
      get kernelDropped() {
        return (kernelDropped += 1);
      },
      kernelDropsAreLowerBound: false,
    });
    for (let nth = 0; nth < 3; nth += 1) report.drops.askKernel();
    report.finish(output.close());
    expect((await told()).match(/the queue of 7 is full/g)).toHaveLength(1);
    expect((await told()).match(/the kernel's receive buffer is full/g)).toHaveLength(1);
  });

  test('tells each error of a peer, and the first failure to receive', async () => {
    const { report, events } = await openReport();
    const noMemory = new DatagramError('RECEIVE_FAILED', 'cannot receive: ENOMEM');
    for (const error of [REFUSED, REFUSED]) report.peerError(error);
    for (const error of [noMemory, noMemory]) report.receiveError(error);
    expect(events()).toMatchObject([
      { type: 'error', code: 'REFUSED', peer: '127.0.0.1:9' },
      { type: 'error', code: 'REFUSED', peer: '127.0.0.1:9' },
      { type: 'error', code: 'RECEIVE_FAILED', message: 'cannot receive: ENOMEM; udpcat tries again' },
    ]);
    expect(report.totals.receiveErrors).toBe(2);
  });

  test('tells a failure of the system, and throws a bug of the program', async () => {
    const { report, events, told } = await openReport();
    report.failure(REFUSED);
    const mistake = new TypeError('undefined is no function');
    expect(() => {
      report.failure(mistake);
    }).toThrow(mistake);
    expect(events()).toMatchObject([{ type: 'error', code: 'REFUSED', message: REFUSED.message }]);
    expect(await told()).toContain(REFUSED.message);
  });

  test.each([
    { stats: true, lines: 1 },
    { stats: false, lines: 0 },
    { stats: undefined, lines: 0 },
  ])('has the summary on stderr $lines times with stats: $stats at no terminal', async ({ stats, lines }) => {
    const { output, report, told } = await openReport({ stats, output: 'none' });
    expect(report.countsAreRead).toBe(lines > 0);
    await report.finish(output.close()).written();
    expect((await told()).match(/0 received, 0 sent/g) ?? []).toHaveLength(lines);
  });

  test('tells the progress of the run with all details, even if it is quiet', async () => {
    const { report, told } = await openReport({ quiet: true }, () => ({ fields: {}, lines: ['of the run'] }));
    report.totals.received = 5;
    report.progress({ fields: {}, lines: ['of this moment'] });
    expect(await told()).toMatch(/5 received[^]*of this moment[^]*of the run/);
  });

  test.each([
    { failOnDrop: true as const, dropped: 1, fails: true },
    { failOnDrop: true as const, dropped: 0, fails: false },
    { failOnDrop: undefined, dropped: 1, fails: false },
  ])('fails on drops: $fails, for $dropped drops and $failOnDrop', async ({ failOnDrop, dropped, fails }) => {
    const { output, report, told } = await openReport({ failOnDrop });
    if (dropped > 0) report.drops.queueDropped(dropped);
    const written = await report.finish(output.close()).written();
    expect([written.tellFailOnDrop(), written.tellWriteFailure()]).toEqual([fails, undefined]);
    expect((await told()).includes('1 dropped by the full queue (--fail-on-drop)')).toBe(fails);
  });

  test('says that unknown drops of the kernel do not count', async () => {
    const { output, report, told } = await openReport({ failOnDrop: true });
    report.drops.watchKernel({ kernelDropped: undefined, kernelDropsAreLowerBound: false });
    const written = await report.finish(output.close()).written();
    expect(written.tellFailOnDrop()).toBe(false);
    expect(await told()).toContain('the drops of the kernel cannot be known here');
  });
});

test('the end of a report needs a closed output', async () => {
  const { output, report } = await openReport();
  // @ts-expect-error: an open output could still write datagrams after the summary.
  const finish = (): unknown => report.finish(output);
  expect(finish).toBeInstanceOf(Function);
  report.finish(output.close());
});

describeEngines(({ startUdpServer }) => {
  test.each([
    { family: 4, local: '127.0.0.1:0' },
    { family: 6, local: '[::1]:0' },
  ] as const)('a report counts the drops of a full queue on IPv$family', async ({ family, local }) => {
    const { output, report, events } = await openReport();
    await using server = await startUdpServer(local, { maxReadQueue: 1, overflow: 'drop-oldest' });
    server.on('drop', (count) => {
      report.drops.queueDropped(count);
    });
    const dropped = once(server, 'drop');
    await using peer = await silentServer(family);
    for (const payload of ['dropped', 'kept']) await peer.send(payload, formatEndpoint(server.local));
    await dropped;
    await report.finish(output.close()).written();
    expect(events()).toMatchObject([
      { type: 'drop', where: 'queue' },
      { type: 'summary', dropped: { queue: 1 } },
    ]);
  });
});
