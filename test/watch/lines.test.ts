import { describe, expect, test } from '@jest/globals';
import { PLAIN } from '../../src/output/palette.js';
import type { CheckEvent, StateEvent } from '../../src/watch/events.js';
import { formatCheck, formatState } from '../../src/watch/lines.js';

const TIME_MS = Date.UTC(2026, 10, 29, 8, 0, 0, 123);
const CHECK: CheckEvent = {
  type: 'check',
  target: '192.0.2.1:53',
  address: '192.0.2.1:53',
  verdict: 'ok',
  says: '192.0.2.1:53 answered in 0.41 ms',
  rttMs: 0.41,
  sent: 1,
  received: 1,
};
const STATE: StateEvent = {
  type: 'state',
  target: 'dns-1',
  address: '192.0.2.1:53',
  from: 'up',
  to: 'down',
  verdict: 'silent',
  says: '192.0.2.1:53 did not answer within 2s',
  sinceMs: 3 * 3_600_000 + 2 * 60_000,
};

describe('a check as a line', () => {
  test.each([
    [{}, '2026-11-29T08:00:00.123000Z 192.0.2.1:53 ok 0.41 ms\n'],
    [{ verdict: 'slow' as const }, '2026-11-29T08:00:00.123000Z 192.0.2.1:53 slow 0.41 ms\n'],
    [
      { verdict: 'silent' as const, says: 'it did not answer' },
      '2026-11-29T08:00:00.123000Z 192.0.2.1:53 silent: it did not answer\n',
    ],
    [
      { verdict: 'silent' as const, says: '192.0.2.1:53 did not answer within 2s' },
      '2026-11-29T08:00:00.123000Z 192.0.2.1:53 silent: did not answer within 2s\n',
    ],
    [
      { verdict: 'refused' as const, says: '192.0.2.1:53 refused: nobody listens there' },
      '2026-11-29T08:00:00.123000Z 192.0.2.1:53 refused: nobody listens there\n',
    ],
    [
      { verdict: 'mismatch' as const, says: 'the reply from 192.0.2.1:53 is no "pong"' },
      '2026-11-29T08:00:00.123000Z 192.0.2.1:53 mismatch: the reply is no "pong"\n',
    ],
    [
      { verdict: 'mismatch' as const, says: 'dns: the answer is empty (192.0.2.1:53)' },
      '2026-11-29T08:00:00.123000Z 192.0.2.1:53 mismatch: dns: the answer is empty\n',
    ],
    [
      { target: 'dns-1', verdict: 'silent' as const, says: '192.0.2.1:53 did not answer within 2s' },
      '2026-11-29T08:00:00.123000Z dns-1 silent: 192.0.2.1:53 did not answer within 2s\n',
    ],
    [
      { verdict: 'mismatch' as const, says: 'the reply is "\x1b[2J\n"' },
      '2026-11-29T08:00:00.123000Z 192.0.2.1:53 mismatch: the reply is "\\x1b[2J\\n"\n',
    ],
  ])('%j', (changes, line) => {
    expect(formatCheck({ ...CHECK, ...changes }, TIME_MS, PLAIN)).toBe(line);
  });
});

describe('a change as a line', () => {
  test.each([
    [{}, 3, '2026-11-29T08:00:00.123000Z dns-1 192.0.2.1:53 down after 3h2m up: silent, 3 of 3\n'],
    [
      { target: '192.0.2.1:53', from: 'unknown' as const, to: 'up' as const, verdict: 'ok' as const, sinceMs: 950 },
      2,
      '2026-11-29T08:00:00.123000Z 192.0.2.1:53 up after 1s unknown: ok, 2 of 2\n',
    ],
  ])('%j', (changes, streak, line) => {
    expect(formatState({ ...STATE, ...changes }, streak, TIME_MS, PLAIN)).toBe(line);
  });
});
