import { describe, expect, test } from '@jest/globals';
import { Requests } from '../../src/check/requests.js';

function filled(count: number, most?: number): Requests {
  const requests = new Requests(most);
  for (let index = 0; index < count; index += 1) requests.add(index);
  return requests;
}

describe('the requests of a run', () => {
  test('are answered once each, by number', () => {
    const requests = filled(3);
    expect(requests.answer(1)).toBe(1);
    expect(requests.answer(1)).toBe('answered');
    expect(requests.answer(3)).toBe('unknown');
    expect(requests.count).toBe(3);
  });

  test('are answered in order, those passed over that have an answer', () => {
    const requests = filled(4);
    requests.answer(1);
    expect([0, 1, 2, 3].map(() => requests.answerOldest())).toEqual([0, 2, 3, undefined]);
    requests.add(4);
    expect(requests.answerOldest()).toBe(4);
  });

  test('grow without forgetting, up to what is remembered', () => {
    const requests = filled(5000);
    expect([0, 1023, 1024, 4999].map((index) => requests.answer(index))).toEqual([0, 1023, 1024, 4999]);
  });

  test('beyond what is remembered are given up, and never taken for others', () => {
    const requests = filled(3000, 2048);
    expect(requests.answer(951)).toBe('unknown');
    expect(requests.answer(952)).toBe(952);
    expect(requests.answerOldest()).toBe(953);
    expect(requests.answer(2999)).toBe(2999);
  });

  test('that are open may be sent again, and the last may not have been sent at all', () => {
    const requests = filled(3);
    requests.sentAgain(100);
    requests.withdraw(1);
    expect([requests.answerOldest(), requests.answerOldest(), requests.answerOldest()]).toEqual([100, 100, undefined]);
  });
});
