import { getEventListeners, setMaxListeners } from 'node:events';
import { readdirSync } from 'node:fs';
import { PassThrough } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { beforeAll, describe, expect, test } from '@jest/globals';
import dnsPacket from 'dns-packet';
import { check, type Outcome } from '../../src/watch/check.js';
import type { Verdict } from '../../src/watch/verdict.js';
import {
  closedAddress,
  type Family,
  type Peer,
  respondingServer,
  silentServer,
  strayServer,
} from '../support/sockets.js';
import { targetPlan } from '../support/watching.js';
import { testNeeding } from '../support/needs.js';
import { sideBySide } from '../support/side-by-side.js';

const testWithProc = testNeeding('proc');

/** Services that are checked wait for no reader, and read no stdin. */
const NO_IO = { stdin: new PassThrough(), examiner: '' };
/** A reply on the loopback comes within this time on the busiest machine. */
const WAIT = ['--interval', '30s', '--wait', '10s'];
/** A wait that is over before anything comes. */
const NO_WAIT = ['--interval', '30s', '--wait', '200ms'];
/** A slow service takes so long. A limit that is shorter by far is always exceeded. */
const SLOW_MS = 60;

/** A protocol: how it is asked for, and what a service that is well, and one that is not, replies. */
interface Protocol {
  readonly name: string;
  readonly args: readonly string[];
  readonly right: (request: Buffer) => Buffer;
  readonly wrong: (request: Buffer) => Buffer;
}

const dnsReply = (request: Buffer, rcode: number): Buffer => {
  const { id, questions } = dnsPacket.decode(request);
  const answers = rcode === 0 ? [{ type: 'A' as const, name: 'example.com', data: '192.0.2.1' }] : [];
  return dnsPacket.encode({ type: 'response', id: id ?? 0, questions: questions ?? [], answers, flags: rcode });
};

const ntpReply = (request: Buffer, stratum: number): Buffer => {
  const reply = Buffer.alloc(48);
  reply[0] = 0x24;
  reply[1] = stratum;
  request.copy(reply, 24, 40, 48);
  for (const at of [32, 40]) reply.writeUInt32BE(Math.floor(Date.now() / 1000) + 2_208_988_800, at);
  return reply;
};

const PROTOCOLS: readonly Protocol[] = [
  {
    name: 'a message',
    args: ['--message', 'ping', '--expect-exact', 'pong'],
    right: () => Buffer.from('pong'),
    wrong: () => Buffer.from('no'),
  },
  {
    name: 'dns',
    args: ['--probe', 'dns:example.com'],
    right: (request) => dnsReply(request, 0),
    wrong: (request) => dnsReply(request, 2),
  },
  {
    name: 'ntp',
    args: ['--probe', 'ntp'],
    right: (request) => ntpReply(request, 2),
    wrong: (request) => ntpReply(request, 16),
  },
];

async function checkOnce(address: string, args: readonly string[], signal = new AbortController().signal) {
  const outcome = await check(await targetPlan([address, ...args]), { io: NO_IO, signal });
  if (outcome === undefined) throw new Error('the check was given up');
  return outcome;
}

/** Replies late, and each time. */
const slowly =
  (reply: (request: Buffer) => Buffer) =>
  async (request: Buffer): Promise<Buffer> => {
    await delay(SLOW_MS);
    return reply(request);
  };

const CASES: readonly {
  readonly service: string;
  readonly args: readonly string[];
  readonly open: (protocol: Protocol, family: Family) => Promise<Peer>;
  readonly verdict: Verdict;
}[] = [
  { service: 'up', args: WAIT, open: ({ right }, family) => respondingServer(right, family), verdict: 'ok' },
  { service: 'silent', args: NO_WAIT, open: (_, family) => silentServer(family), verdict: 'silent' },
  { service: 'wrong', args: WAIT, open: ({ wrong }, family) => respondingServer(wrong, family), verdict: 'mismatch' },
  {
    service: 'slow',
    args: [...WAIT, '--warn', '10ms', '--critical', '30s'],
    open: ({ right }, family) => respondingServer(slowly(right), family),
    verdict: 'slow',
  },
  {
    service: 'slower than --critical',
    args: [...WAIT, '--warn', '5ms', '--critical', '10ms'],
    open: ({ right }, family) => respondingServer(slowly(right), family),
    verdict: 'late',
  },
  { service: 'answered by another', args: WAIT, open: (_, family) => strayServer(family), verdict: 'stray' },
];

const SERVICES = PROTOCOLS.flatMap((protocol) => ([4, 6] as const).map((family) => ({ ...protocol, family })));

describe('a service that is checked', () => {
  const checked = new Map<string, { readonly outcome: Outcome; readonly address: string }>();

  // A wrong reply ends no wait, so all cases wait together.
  beforeAll(async () => {
    const all = SERVICES.flatMap((protocol) => CASES.map((each) => ({ protocol, ...each })));
    await Promise.all(
      all.map(async ({ protocol, service, args, open }) => {
        await using peer = await open(protocol, protocol.family);
        const outcome = await checkOnce(peer.address, [...protocol.args, ...args]);
        checked.set(`${protocol.name} ${protocol.family} ${service}`, { outcome, address: peer.address });
      }),
    );
  });

  describe.each(SERVICES)('by $name over IPv$family, and is', ({ name, args, family }) => {
    test.each(CASES)('$service is $verdict', ({ service, verdict }) => {
      const { outcome, address } = checked.get(`${name} ${family} ${service}`) ?? {};
      const isTimed = ['ok', 'slow', 'late'].includes(verdict);
      expect(outcome).toMatchObject({ verdict, address, sent: 1, lost: isTimed ? 0 : 1 });
      expect(outcome?.says).not.toBe('');
      if (isTimed) expect(outcome?.rttMs).toBeGreaterThanOrEqual(verdict === 'ok' ? 0 : 10);
      else expect(outcome?.rttMs).toBeUndefined();
    });

    test('down is refused', async () => {
      const address = await closedAddress(family);
      expect(await checkOnce(address, [...args, ...WAIT])).toMatchObject({ verdict: 'refused', address, lost: 1 });
    });
  });
});

describe('a check of several datagrams', () => {
  const everyOther = () => {
    let asked = 0;
    return (request: Buffer): Buffer | undefined => (asked++ % 2 === 0 ? request : undefined);
  };

  sideBySide.each([
    { maxLoss: [], verdict: 'silent' },
    { maxLoss: ['--max-loss', '49%'], verdict: 'silent' },
    { maxLoss: ['--max-loss', '50%'], verdict: 'ok' },
  ])('of which half are lost is $verdict with $maxLoss', async ({ maxLoss, verdict }) => {
    await using peer = await respondingServer(everyOther());
    const outcome = await checkOnce(peer.address, ['-c', '4', '--interval', '30s', '--wait', '5s', ...maxLoss]);
    expect(outcome).toMatchObject({ verdict, sent: 4, received: 2, lost: 2 });
    expect(peer.received).toHaveLength(4);
  });

  test('sends them 20 ms apart, or at the rate', async () => {
    await using peer = await respondingServer((request) => request);
    const startMs = performance.now();
    await checkOnce(peer.address, ['-c', '6', ...WAIT]);
    // Five pauses. That it takes longer on a busy machine shows nothing.
    expect(performance.now() - startMs).toBeGreaterThanOrEqual(100);
    const sequences = peer.received.map(({ data }) => data.length);
    expect(sequences).toEqual(Array<number>(6).fill(32));
  });

  test('is judged by the median round-trip time', async () => {
    let asked = 0;
    await using peer = await respondingServer(async (request) => {
      if (asked++ > 0) await delay(SLOW_MS);
      return request;
    });
    const outcome = await checkOnce(peer.address, ['-c', '5', ...WAIT, '--warn', '10ms']);
    expect(outcome).toMatchObject({ verdict: 'slow', received: 5 });
    expect(outcome.rttMs).toBeGreaterThanOrEqual(SLOW_MS - 1);
  });
});

describe('a check', () => {
  test('sends 32 bytes unless told otherwise, and takes any reply', async () => {
    await using peer = await respondingServer(() => Buffer.from('anything'));
    expect(await checkOnce(peer.address, WAIT)).toMatchObject({ verdict: 'ok', received: 1 });
    expect(peer.received[0]?.data).toHaveLength(32);
  });

  test('asks from a fresh port, with a fresh request of its probe', async () => {
    await using peer = await respondingServer((request) => dnsReply(request, 0));
    const plan = await targetPlan([peer.address, '--probe', 'dns:example.com', ...WAIT]);
    const options = { io: NO_IO, signal: new AbortController().signal };
    const both = await Promise.all([check(plan, options), check(plan, options)]);
    expect(both.map((outcome) => outcome?.verdict)).toEqual(['ok', 'ok']);
    expect(new Set(peer.received.map(({ from }) => from)).size).toBe(2);
    expect(new Set(peer.received.map(({ data }) => data.toString('hex'))).size).toBe(2);
  });

  test.each([
    { what: 'a name without an address', lookup: () => Promise.resolve([]), says: /cannot resolve a\.example/ },
    {
      what: 'a resolver that does not respond',
      lookup: () => new Promise<never>(() => undefined),
      says: /the deadline of 200ms came before a\.example was resolved/,
    },
  ])('of $what is an error', async ({ lookup, says }) => {
    const plan = await targetPlan(['a.example:53', '--interval', '30s', '--deadline', '200ms']);
    const outcome = await check(plan, { io: NO_IO, signal: new AbortController().signal, lookup: () => lookup });
    expect(outcome).toMatchObject({ verdict: 'error', sent: 0 });
    expect(outcome?.says).toMatch(says);
  });

  test('of a file that is missing is an error', async () => {
    const address = await closedAddress();
    expect(await checkOnce(address, [...WAIT, '--file', '/no/such/file'])).toMatchObject({ verdict: 'error', sent: 0 });
  });

  test('is given up when its signal is aborted', async () => {
    await using peer = await silentServer();
    const stop = new AbortController();
    const checking = check(await targetPlan([peer.address, ...WAIT]), { io: NO_IO, signal: stop.signal });
    await peer.collect(1);
    stop.abort('over');
    expect(await checking).toBeUndefined();
    expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  });
});

/** Bytes of the heap after a collection of garbage. */
function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  (runInNewContext('gc') as () => void)();
  return process.memoryUsage().heapUsed;
}

testWithProc('ten thousand checks leave no descriptor, no listener and no memory behind', async () => {
  await using peer = await respondingServer((request) => request);
  const plan = await targetPlan([peer.address, ...WAIT]);
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const options = { io: NO_IO, signal: stop.signal };
  const run = async (checks: number): Promise<void> => {
    for (let nth = 0; nth < checks; nth += 20) {
      const outcomes = await Promise.all(Array.from({ length: 20 }, () => check(plan, options)));
      expect(outcomes.filter((outcome) => outcome?.verdict !== 'ok')).toEqual([]);
      // The peer of the test remembers what it got.
      (peer.received as unknown[]).length = 0;
    }
  };
  await run(2000);
  const descriptors = readdirSync('/proc/self/fd').length;
  const before = heapBytes();
  await run(10_000);
  expect(readdirSync('/proc/self/fd').length).toBe(descriptors);
  expect(getEventListeners(stop.signal, 'abort')).toEqual([]);
  // A hundred bytes for each check would be a megabyte.
  expect(heapBytes() - before).toBeLessThan(1e6);
});
