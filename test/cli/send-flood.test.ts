/** Endless replies: the wait ends in time with a verdict, and the memory does not grow. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { startFlooder } from '../support/flooder.js';
import { jsonLines } from '../support/service.js';
import { start, type Outcome } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

/** The memory limit of the command: 80 MB for Node, twice the queue, and a reserve for the garbage collector. */
const MAX_MEMORY_KB = 250_000;
/** How late a run may end by its own clock. A busy machine takes seconds. To judge every reply would take minutes. */
const MAX_LATE_MS = 20_000;

const folder = mkdtempSync(join(tmpdir(), 'udpcat-flood-'));
/** A module that makes the command write its memory to stderr at the end. */
const preload = join(folder, 'memory.cjs');
writeFileSync(
  preload,
  // resourceUsage() would not do: it begins with the memory of the parent process.
  String.raw`process.on('exit', () => {
    const { readFileSync, writeSync } = require('node:fs');
    const [, kilobytes] = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'));
    writeSync(2, 'memory ' + kilobytes + '\n');
  });`,
);
afterAll(() => {
  rmSync(folder, { recursive: true });
});

const memoryOf = ({ stderr }: Outcome): number => Number(/^memory (\d+)$/m.exec(stderr)?.[1]);
const RUN = { env: { NODE_OPTIONS: `--require ${preload}` } };

interface Summary {
  readonly durationMs: number;
  readonly received: number;
}

function summaryOf({ stderr }: Outcome): Summary {
  return jsonLines(stderr.replace(/^(?!\{).*\n/gm, '')).find(
    ({ durationMs }) => durationMs !== undefined,
  ) as unknown as Summary;
}

const QUEUE = ['--queue-size', '256', '--stats', '--log-format', 'json', '-o', 'none'];

describe.each(ENGINE_NAMES)('a flood of wrong replies, with the %s engine,', (engine) => {
  const record = ['--record', join(folder, `${engine}.pcap`)];

  testWithProc.each([
    {
      title: 'to an expression',
      wait: 4000,
      bytes: 60_000,
      args: ['m', '--expect-regex', '(a|b|[0-9]+){1,40}zz$'],
      status: 5,
    },
    { title: 'of small ones', bytes: 20, args: ['m', '--expect-exact', 'no'], status: 5 },
    { title: 'that is explained', bytes: 60_000, args: ['m', '--expect-exact', 'no', '--explain'], status: 5 },
    { title: 'to a probe', bytes: 60_000, args: ['--probe', 'dns:example.com'], status: 5 },
    { title: 'of which all are wanted', bytes: 60_000, args: ['m', '-n', 'all'], status: 0 },
    { title: 'that is recorded', bytes: 2_000, args: ['m', '-n', 'all', ...record], status: 0 },
  ])('$title, does not outlast the wait', async ({ bytes, args, status, wait = 1500 }) => {
    await using flooder = await startFlooder({ bytes });
    const send = ['send', flooder.address, ...args, '--wait', `${wait}ms`, ...QUEUE, '--engine', engine];
    await using running = start(send, RUN);
    const outcome = await running.outcome;
    // The flood goes on until the command has ended.
    await flooder.ended;
    const summary = summaryOf(outcome);
    expect(outcome.status).toBe(status);
    expect(summary.received).toBeGreaterThan(0);
    expect(summary.durationMs).toBeLessThan(wait + MAX_LATE_MS);
    expect(memoryOf(outcome)).toBeLessThan(MAX_MEMORY_KB);
  });

  testWithProc('does not outlast the deadline', async () => {
    await using flooder = await startFlooder({ bytes: 60_000 });
    const args = ['m', '--expect-exact', 'no', '--deadline', '8s', ...QUEUE, '--engine', engine];
    await using running = start(['send', flooder.address, ...args], RUN);
    const outcome = await running.outcome;
    await flooder.ended;
    expect(outcome.status).toBe(5);
    expect(summaryOf(outcome).durationMs).toBeLessThan(8000 + MAX_LATE_MS);
    expect(memoryOf(outcome)).toBeLessThan(MAX_MEMORY_KB);
  });
});

describe.each(ENGINE_NAMES)('a flood, with the %s engine,', (engine) => {
  testWithProc.each([
    { command: 'serve', bytes: 60_000 },
    { command: 'serve', bytes: 20 },
    { command: 'echo', bytes: 60_000 },
    { command: 'echo', bytes: 20 },
  ])('of datagrams of $bytes bytes does not outlast the duration of $command', async ({ command, bytes }) => {
    const args = [command, '127.0.0.1:0', '--duration', '3s', ...QUEUE, '--engine', engine, '--count', '1000000000'];
    await using running = start(args, RUN);
    const [, address = ''] = await running.until(/listening on ([\d.:]+)/, 'stderr');
    await using flooder = await startFlooder({ bytes, to: address });
    const outcome = await running.outcome;
    await flooder.ended;
    const summary = summaryOf(outcome);
    expect(outcome.status).toBe(3);
    expect(summary.received).toBeGreaterThan(0);
    expect(summary.durationMs).toBeLessThan(3000 + MAX_LATE_MS);
    expect(memoryOf(outcome)).toBeLessThan(MAX_MEMORY_KB);
  });
});
