import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { ResponsePolicy, type ResponsePolicyOptions } from '../../src/guard/response-policy.js';
import type { Datagram, Run } from '../../src/net/index.js';
import { datagramsOf } from '../../src/net/runs.js';

const from = (address: string, port: number, data = 'ping'): Datagram => ({
  data: Buffer.from(data),
  remote: { address, port },
  local: undefined,
  timeMs: 0,
});

const policy = (address: string, changes: Partial<ResponsePolicyOptions> = {}): ResponsePolicy =>
  new ResponsePolicy({ local: { address, port: 7000 }, loopGuard: true, servicePorts: false, ...changes });

const ownAddresses = Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
  (entries ?? []).map(({ address, scopeid }) => (scopeid ? `${address}%${name}` : address)),
);

describe('a policy gives the own address of the server', () => {
  test('no response, and every other address one', () => {
    expect(policy('127.0.0.1').permits(from('127.0.0.1', 7000))).toBe(false);
    expect(policy('127.0.0.1').permits(from('127.0.0.1', 7001))).toBe(true);
    expect(policy('127.0.0.1').permits(from('127.0.0.2', 7000))).toBe(true);
    expect(policy('::1').permits(from('::1', 7000))).toBe(false);
  });

  test.each(['::', '0.0.0.0'])('no response where %s is bound, which is every address of this host', (wildcard) => {
    const one = policy(wildcard);
    expect(ownAddresses).toContain('127.0.0.1');
    for (const own of ['127.9.9.9', ...ownAddresses]) {
      expect([own, one.permits(from(own, 7000))]).toEqual([own, false]);
      expect([own, one.permits(from(own, 7001))]).toEqual([own, true]);
    }
    expect(one.permits(from('192.0.2.1', 7000))).toBe(true);
  });
});

describe('a policy gives source port', () => {
  test.each([0, 7, 53, 1023])('%i, which is one of a service, no response', (port) => {
    expect(policy('127.0.0.1').permits(from('192.0.2.1', port))).toBe(false);
  });

  test.each([1024, 65_535])('%i, which is one of an ordinary program, a response', (port) => {
    expect(policy('127.0.0.1').permits(from('192.0.2.1', port))).toBe(true);
  });

  test('53 a response if it is asked to', () => {
    expect(policy('127.0.0.1', { servicePorts: true }).permits(from('192.0.2.1', 53))).toBe(true);
  });
});

test('a hundred identical datagrams get responses, numbered ones all do, and the others are counted', () => {
  const one = policy('127.0.0.1');
  for (let number = 0; number < 100; number += 1) one.permits(from('192.0.2.1', 5000));
  expect(one.declined).toBe(0);
  expect(one.permits(from('192.0.2.1', 5000))).toBe(false);
  expect(one.permits(from('127.0.0.1', 7000))).toBe(false);
  expect(one.permits(from('192.0.2.1', 53))).toBe(false);
  expect(one.declined).toBe(3);
  for (let number = 0; number < 200; number += 1) {
    expect(one.permits(from('192.0.2.1', 5000, String(number)))).toBe(true);
  }
  expect(one.declined).toBe(3);
});

test('without the loop guard all identical datagrams get responses', () => {
  const one = policy('127.0.0.1', { loopGuard: false });
  for (let number = 0; number < 1000; number += 1) one.permits(from('192.0.2.1', 5000));
  expect(one.declined).toBe(0);
});

test.each([
  [5, 5],
  [undefined, 20],
  [Infinity, 20],
])('with a rate of %p a second, %i of 20 numbered datagrams of a peer get responses at once', (ratePerSecond, most) => {
  const one = policy('127.0.0.1', { ratePerSecond });
  const startMs = performance.now();
  let permitted = 0;
  for (let number = 0; number < 20; number += 1) {
    if (one.permits(from('192.0.2.1', 5000, String(number)))) permitted += 1;
  }
  const earned = ((performance.now() - startMs) / 1000) * (ratePerSecond ?? 0);
  expect(permitted).toBeGreaterThanOrEqual(most);
  expect(permitted).toBeLessThanOrEqual(ratePerSecond === 5 ? most + earned : most);
  expect(one.declined).toBe(20 - permitted);
  expect(one.permits(from('192.0.2.2', 5000))).toBe(true);
});

describe('a server that corrupts its responses', () => {
  // On a busy machine the test may take longer than a second. The clock stands still, so that the guard does not see it.
  beforeEach(() => {
    jest.spyOn(performance, 'now').mockReturnValue(1000);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const corrupting = (changes: Partial<ResponsePolicyOptions> = {}) => {
    const told: string[] = [];
    const one = policy('192.0.2.9', { onCorruptedLoop: ({ address }) => told.push(address), ...changes });
    /** Sends numbered datagrams of a peer, and corrupts each response. Returns how many got one. */
    const responsesTo = (count: number, address: string): number => {
      let responses = 0;
      for (let number = 0; number < count; number += 1) {
        if (!one.permits(from(address, 5000, String(number)))) continue;
        responses += 1;
        one.corrupted({ address, port: 5000 });
      }
      return responses;
    };
    return { responsesTo, told, one };
  };

  test('gives a peer no response after more than 100 of them in a second, and says so', () => {
    const { responsesTo, told, one } = corrupting();
    expect([responsesTo(500, '192.0.2.1'), responsesTo(50, '192.0.2.2')]).toEqual([101, 50]);
    expect(told).toEqual(['192.0.2.1']);
    expect(one.declined).toBe(399);
  });

  test('responds to the loopback, and without the loop guard to every address', () => {
    expect(corrupting().responsesTo(500, '127.0.0.1')).toBe(500);
    expect(corrupting().responsesTo(500, '::1')).toBe(500);
    expect(corrupting({ loopGuard: false }).responsesTo(500, '192.0.2.1')).toBe(500);
  });
});

test('as many peers are remembered as asked for, but at least so many that the guard works', () => {
  const one = policy('127.0.0.1', { ratePerSecond: 0.001, maxPeers: 1 });
  for (let other = 0; other < 500; other += 1) {
    one.permits(from('192.0.2.2', 2000 + other));
    expect(one.permits(from('192.0.2.1', 5000))).toBe(other === 0);
  }
});

test('a request without a response for another reason is counted with the others', () => {
  const one = policy('127.0.0.1');
  one.decline();
  expect(one.declined).toBe(1);
});

describe('a run of datagrams', () => {
  /** Makes a run of one peer. All payloads are as long as the first, only the last may be shorter. */
  const runOf = (payloads: readonly string[], port = 5000): Run => ({
    bytes: Buffer.from(payloads.join('')),
    segmentBytes: payloads[0]?.length ?? 0,
    count: payloads.length,
    remote: { address: '192.0.2.1', port },
    local: undefined,
    timeMs: 0,
  });
  const payloadsIn = (runs: readonly Run[]): string[][] =>
    runs.map((run) => datagramsOf(run).map(({ data }) => Buffer.from(data).toString()));

  test('gets responses as a whole if each datagram gets one', () => {
    const one = policy('127.0.0.1');
    const run = runOf(['a1', 'a2', 'a3', 'b']);
    expect(one.permitted(run)[0]).toBe(run);
    expect(policy('127.0.0.1', { loopGuard: false }).permitted(run)[0]).toBe(run);
    expect(one.declined).toBe(0);
  });

  test('is cut around the datagrams that get none', () => {
    const one = policy('127.0.0.1');
    const long = 'x'.repeat(600);
    for (const payload of ['loop', 'end', long]) {
      for (let nth = 0; nth < 100; nth += 1) one.permits(from('192.0.2.1', 5000, payload));
    }
    const given = one.permitted(runOf(['new1', 'new2', 'loop', 'new3', 'loop', 'loop', 'new4', 'end']));
    expect(payloadsIn(given)).toEqual([['new1', 'new2'], ['new3'], ['new4']]);
    expect(one.permitted(runOf([long, long]))).toEqual([]);
    expect(payloadsIn(one.permitted(runOf([long.replace('xx', 'xy'), 'loop'])))).toEqual([[long.replace('xx', 'xy')]]);
    expect(one.declined).toBe(7);
  });

  test('gets none from a peer that gets none, and as many as the rate limit allows', () => {
    const one = policy('127.0.0.1', { ratePerSecond: 2 });
    expect(one.permitted(runOf(['a', 'b'], 53))).toEqual([]);
    expect(policy('127.0.0.1').permitted(runOf(['a', 'b'], 53))).toEqual([]);
    expect(payloadsIn(one.permitted(runOf(['a', 'b', 'c'])))).toEqual([['a'], ['b']]);
    expect(one.declined).toBe(3);
  });
});
