import { describe, expect, test } from '@jest/globals';
import { Requests } from '../../src/check/requests.js';

function filled(count: number, most?: number): Requests {
  const requests = new Requests(most);
  for (let index = 0; index < count; index += 1) requests.add(index);
  return requests;
}

describe('the requests of a run', () => {
  test('get one reply each, by number', () => {
    const requests = filled(3);
    expect(requests.reply(1)).toBe(1);
    expect(requests.reply(1)).toBe('replied');
    expect(requests.reply(3)).toBe('unknown');
    expect(requests.count).toBe(3);
  });

  test('get replies in order, without the requests that have one', () => {
    const requests = filled(4);
    requests.reply(1);
    expect([0, 1, 2, 3].map(() => requests.replyToOldest())).toEqual([0, 2, 3, undefined]);
    requests.add(4);
    expect(requests.replyToOldest()).toBe(4);
  });

  test('that are older than a time are passed over, as long as a later one is open', () => {
    const requests = filled(4);
    expect([2, 2, 2, 2].map((sinceMs) => requests.replyToOldest(sinceMs))).toEqual([2, 3, 0, 1]);
    expect(requests.replyToOldest(2)).toBeUndefined();
  });

  test('are all remembered up to the limit', () => {
    const requests = filled(5000);
    expect([0, 1023, 1024, 4999].map((index) => requests.reply(index))).toEqual([0, 1023, 1024, 4999]);
  });

  test('beyond the limit are unknown, and never taken for others', () => {
    const requests = filled(3000, 2048);
    expect(requests.reply(951)).toBe('unknown');
    expect(requests.reply(952)).toBe(952);
    expect(requests.replyToOldest()).toBe(953);
    expect(requests.reply(2999)).toBe(2999);
  });

  test('can have their times set more exactly, the latest ones only', () => {
    const requests = filled(3);
    requests.sentAt(Float64Array.of(1.5, 2.5));
    expect([0, 1, 2].map((index) => requests.reply(index))).toEqual([0, 1.5, 2.5]);
  });

  test('can be sent again, and the last ones withdrawn', () => {
    const requests = filled(3);
    requests.sentAgain(100);
    requests.withdraw(1);
    expect([requests.replyToOldest(), requests.replyToOldest(), requests.replyToOldest()]).toEqual([
      100,
      100,
      undefined,
    ]);
  });
});
