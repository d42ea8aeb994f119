import { networkInterfaces } from 'node:os';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { AnswerPolicy, type AnswerPolicyOptions } from '../../src/guard/answer-policy.js';
import type { Datagram } from '../../src/net/index.js';

const from = (address: string, port: number, data = 'ping'): Datagram => ({
  data: Buffer.from(data),
  remote: { address, port },
  local: undefined,
  timeMs: 0,
});

const policy = (address: string, changes: Partial<AnswerPolicyOptions> = {}): AnswerPolicy =>
  new AnswerPolicy({ local: { address, port: 7000 }, loopGuard: true, servicePorts: false, ...changes });

const ownAddresses = Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
  (entries ?? []).map(({ address, scopeid }) => (scopeid ? `${address}%${name}` : address)),
);

describe('its own address', () => {
  test('is not answered, and everybody else is', () => {
    expect(policy('127.0.0.1').answers(from('127.0.0.1', 7000))).toBe(false);
    expect(policy('127.0.0.1').answers(from('127.0.0.1', 7001))).toBe(true);
    expect(policy('127.0.0.1').answers(from('127.0.0.2', 7000))).toBe(true);
    expect(policy('::1').answers(from('::1', 7000))).toBe(false);
  });

  test.each(['::', '0.0.0.0'])('is any address of this host where %s is bound', (wildcard) => {
    const one = policy(wildcard);
    expect(ownAddresses).toContain('127.0.0.1');
    for (const own of ['127.9.9.9', ...ownAddresses]) {
      expect([own, one.answers(from(own, 7000))]).toEqual([own, false]);
      expect([own, one.answers(from(own, 7001))]).toEqual([own, true]);
    }
    expect(one.answers(from('192.0.2.1', 7000))).toBe(true);
  });
});

describe('source ports of services', () => {
  test.each([0, 7, 53, 1023])('are not answered: %i', (port) => {
    expect(policy('127.0.0.1').answers(from('192.0.2.1', port))).toBe(false);
  });

  test.each([1024, 65_535])('are no others: %i', (port) => {
    expect(policy('127.0.0.1').answers(from('192.0.2.1', port))).toBe(true);
  });

  test('are answered where that is asked for', () => {
    expect(policy('127.0.0.1', { servicePorts: true }).answers(from('192.0.2.1', 53))).toBe(true);
  });
});

test('of identical datagrams a hundred are answered, of numbered ones all, and the others are counted', () => {
  const one = policy('127.0.0.1');
  for (let number = 0; number < 100; number += 1) one.answers(from('192.0.2.1', 5000));
  expect(one.declined).toBe(0);
  expect(one.answers(from('192.0.2.1', 5000))).toBe(false);
  expect(one.answers(from('127.0.0.1', 7000))).toBe(false);
  expect(one.answers(from('192.0.2.1', 53))).toBe(false);
  expect(one.declined).toBe(3);
  for (let number = 0; number < 200; number += 1) {
    expect(one.answers(from('192.0.2.1', 5000, String(number)))).toBe(true);
  }
  expect(one.declined).toBe(3);
});

test('without the loop guard identical datagrams are all answered', () => {
  const one = policy('127.0.0.1', { loopGuard: false });
  for (let number = 0; number < 1000; number += 1) one.answers(from('192.0.2.1', 5000));
  expect(one.declined).toBe(0);
});

test.each([
  [5, 5],
  [undefined, 20],
  [Infinity, 20],
])('with a rate of %p a second, %i of 20 numbered datagrams of a peer are answered at once', (ratePerSecond, most) => {
  const one = policy('127.0.0.1', { ratePerSecond });
  const startMs = performance.now();
  let answered = 0;
  for (let number = 0; number < 20; number += 1) {
    if (one.answers(from('192.0.2.1', 5000, String(number)))) answered += 1;
  }
  const earned = ((performance.now() - startMs) / 1000) * (ratePerSecond ?? 0);
  expect(answered).toBeGreaterThanOrEqual(most);
  expect(answered).toBeLessThanOrEqual(ratePerSecond === 5 ? most + earned : most);
  expect(one.declined).toBe(20 - answered);
  expect(one.answers(from('192.0.2.2', 5000))).toBe(true);
});

describe('a server that corrupts its answers', () => {
  // However long the test is held up, what it does is done within a second.
  beforeEach(() => {
    jest.spyOn(performance, 'now').mockReturnValue(1000);
  });
  afterEach(() => {
    jest.restoreAllMocks();
  });

  const corrupting = (changes: Partial<AnswerPolicyOptions> = {}) => {
    const told: string[] = [];
    const one = policy('192.0.2.9', { onCorruptedLoop: ({ address }) => told.push(address), ...changes });
    /** How many of so many numbered datagrams of a peer are answered, each answer corrupted. */
    const answered = (count: number, address: string): number => {
      let answers = 0;
      for (let number = 0; number < count; number += 1) {
        if (!one.answers(from(address, 5000, String(number)))) continue;
        answers += 1;
        one.corrupted({ address, port: 5000 });
      }
      return answers;
    };
    return { answered, told, one };
  };

  test('leaves a peer alone after more than 100 of those in a second, and says so', () => {
    const { answered, told, one } = corrupting();
    expect([answered(500, '192.0.2.1'), answered(50, '192.0.2.2')]).toEqual([101, 50]);
    expect(told).toEqual(['192.0.2.1']);
    expect(one.declined).toBe(399);
  });

  test('answers the loopback, and everybody without the loop guard', () => {
    expect(corrupting().answered(500, '127.0.0.1')).toBe(500);
    expect(corrupting().answered(500, '::1')).toBe(500);
    expect(corrupting({ loopGuard: false }).answered(500, '192.0.2.1')).toBe(500);
  });
});

test('so many peers are remembered as was asked for, but never so few that a guard would guard nothing', () => {
  const one = policy('127.0.0.1', { ratePerSecond: 0.001, maxPeers: 1 });
  for (let other = 0; other < 500; other += 1) {
    one.answers(from('192.0.2.2', 2000 + other));
    expect(one.answers(from('192.0.2.1', 5000))).toBe(other === 0);
  }
});

test('what is not answered for another reason is counted with the rest', () => {
  const one = policy('127.0.0.1');
  one.decline();
  expect(one.declined).toBe(1);
});
