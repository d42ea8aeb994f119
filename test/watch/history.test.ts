import { describe, expect, test } from '@jest/globals';
import type { Outcome } from '../../src/watch/check.js';
import { History } from '../../src/watch/history.js';
import type { Verdict } from '../../src/watch/verdict.js';

const outcome = (verdict: Verdict, changes: Partial<Outcome> = {}): Outcome => ({
  verdict,
  says: '',
  address: '127.0.0.1:9',
  rttMs: undefined,
  sent: 1,
  received: 0,
  lost: verdict === 'ok' ? 0 : 1,
  ...changes,
});

describe('the history of a target', () => {
  test('counts by verdict, and keeps the last check', () => {
    const history = new History();
    for (const verdict of ['ok', 'silent', 'ok', 'error'] as const) history.take(outcome(verdict));
    expect([history.checks, history.count('ok'), history.count('silent'), history.count('stray')]).toEqual([
      4, 2, 1, 0,
    ]);
    expect(history.last?.verdict).toBe('error');
    expect(history.latest()).toEqual(['ok', 'silent', 'ok', 'error']);
    expect(history.latest(2)).toEqual(['ok', 'error']);
  });

  test('keeps a hundred checks one by one, and forgets the loss of those before', () => {
    const history = new History();
    for (let nth = 0; nth < 100; nth += 1) history.take(outcome('silent'));
    expect(history.loss).toBe(1);
    for (let nth = 0; nth < 75; nth += 1) history.take(outcome('ok', { rttMs: 1 }));
    expect(history.loss).toBe(0.25);
    expect(history.latest()).toEqual([...Array<string>(25).fill('silent'), ...Array<string>(75).fill('ok')]);
    expect(history.count('silent')).toBe(100);
    expect(history.roundTrips.summary()?.p50Ms).toBe(1);
  });

  test('knows no loss while nothing was sent', () => {
    const history = new History();
    history.take(outcome('error', { sent: 0, lost: 0 }));
    expect(history.loss).toBeUndefined();
  });
});
