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

/** The engine of the tests whose subject is above the engines: the fastest one. */
const [FASTEST = 'node'] = ENGINE_NAMES.toReversed();
/** A wait and a duration in milliseconds. In this time a flood must have begun, also on a busy machine. */
const WAIT_MS = 1000;
const DURATION_MS = 2000;

interface Flood {
  readonly title: string;
  readonly args: readonly string[];
  readonly status: number;
  readonly engine?: string;
  readonly bytes?: number;
  readonly wait?: number;
}

describe('a flood of wrong replies', () => {
  const all = ['m', '-n', 'all'];
  testWithProc.each<Flood>([
    ...ENGINE_NAMES.flatMap((engine) => [
      {
        title: `of small ones, with the ${engine} engine`,
        engine,
        bytes: 20,
        args: ['m', '--expect-exact', 'no'],
        status: 5,
      },
      { title: `of which all are wanted, with the ${engine} engine`, engine, bytes: 60_000, args: all, status: 0 },
    ]),
    // A judgement takes a large part of a second.
    { title: 'to an expression', wait: 4000, args: ['m', '--expect-regex', '(a|b|[0-9]+){1,40}zz$'], status: 5 },
    { title: 'that is explained', args: ['m', '--expect-exact', 'no', '--explain'], status: 5 },
    { title: 'to a probe', args: ['--probe', 'dns:example.com'], status: 5 },
    { title: 'that is recorded', bytes: 2_000, args: [...all, '--record', join(folder, 'flood.pcap')], status: 0 },
  ])('$title, does not outlast the wait', async (flood) => {
    const { engine = FASTEST, bytes = 60_000, args, status, wait = WAIT_MS } = flood;
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
    // The deadline counts from the start of the command, which takes seconds on a busy machine.
    const args = ['m', '--expect-exact', 'no', '--deadline', '6s', ...QUEUE, '--engine', FASTEST];
    await using running = start(['send', flooder.address, ...args], RUN);
    const outcome = await running.outcome;
    await flooder.ended;
    expect(outcome.status).toBe(5);
    expect(summaryOf(outcome).durationMs).toBeLessThan(6000 + MAX_LATE_MS);
    expect(memoryOf(outcome)).toBeLessThan(MAX_MEMORY_KB);
  });
});

describe.each(ENGINE_NAMES)('a flood, with the %s engine,', (engine) => {
  testWithProc.each([
    { command: 'serve', bytes: 60_000 },
    { command: 'serve', bytes: 20 },
    { command: 'echo', bytes: 20 },
  ])('of datagrams of $bytes bytes does not outlast the duration of $command', async ({ command, bytes }) => {
    const args = [command, '127.0.0.1:0', '--duration', `${DURATION_MS}ms`, '--count', '1000000000'];
    await using flooder = await startFlooder({ bytes });
    await using running = start([...args, ...QUEUE, '--engine', engine], RUN);
    const [, address = ''] = await running.until(/listening on ([\d.:]+)/, 'stderr');
    flooder.flood(address);
    const outcome = await running.outcome;
    await flooder.ended;
    const summary = summaryOf(outcome);
    expect(outcome.status).toBe(3);
    expect(summary.received).toBeGreaterThan(0);
    expect(summary.durationMs).toBeLessThan(DURATION_MS + MAX_LATE_MS);
    expect(memoryOf(outcome)).toBeLessThan(MAX_MEMORY_KB);
  });
});
