import { describe, expect, test } from '@jest/globals';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import type { Datagram } from '../../src/net/index.js';
import { Responders } from '../../src/stats/responders.js';

const START_MS = Date.UTC(2026, 10, 22, 8);

const reply = (port: number, timeMs: number, data: Uint8Array = Buffer.from('here')): Datagram => ({
  data,
  remote: { address: '192.0.2.1', port },
  local: undefined,
  timeMs: START_MS + timeMs,
});

describe('the responders of a request', () => {
  test('have their replies and the round-trip time of the first one, in the order of the first replies', () => {
    const responders = new Responders();
    for (const [port, ms] of [
      [2, 1.5],
      [1, 2.25],
      [2, 40],
      [3, undefined],
    ] as const) {
      responders.take(reply(port, ms ?? 0), ms);
    }
    expect(responders.fields()).toEqual({
      responders: [
        { address: '192.0.2.1:2', replies: 2, rttMs: 1.5 },
        { address: '192.0.2.1:1', replies: 1, rttMs: 2.25 },
        { address: '192.0.2.1:3', replies: 1 },
      ],
    });
    expect(responders.describe()).toEqual([
      'from 192.0.2.1:2: 2 replies, the first in 1.5 ms',
      'from 192.0.2.1:1: 1 reply in 2.25 ms',
      'from 192.0.2.1:3: 1 reply',
    ]);
  });

  test('have the mean round-trip time of several requests: numbers tell to which of them a reply belongs', () => {
    const numbered = new NumberedPayloads(20);
    const echo = (sequence: number): Buffer => Buffer.from(numbered.take(sequence, 1)[0]!);
    const responders = new Responders(numbered);
    for (const sentMs of [0, 10, 20]) responders.sending(1, START_MS + sentMs);
    const take = (datagram: Datagram): void => {
      responders.take(datagram, responders.rttOf(datagram));
    };
    // The replies come after all requests were sent. The second one to request 1 is a copy.
    for (const [port, sequence, ms] of [
      [1, 0, 30],
      [1, 1, 42],
      [1, 1, 50],
      [2, 2, 25],
      [2, 3, 26],
    ] as const) {
      take(reply(port, ms, echo(sequence)));
    }
    expect(responders.fields().responders).toEqual([
      { address: '192.0.2.1:1', replies: 3, rttMs: 31 },
      { address: '192.0.2.1:2', replies: 2, rttMs: 5 },
    ]);
    expect(responders.describe()).toEqual([
      'from 192.0.2.1:1: 3 replies, mean round-trip time 31 ms',
      'from 192.0.2.1:2: 2 replies, the first in 5 ms',
    ]);
    expect(responders.rttOf(reply(1, 1))).toBeUndefined();
    expect(responders.rttOf(reply(1, 1, new NumberedPayloads(20).take(0, 1)[0]))).toBeUndefined();
  });

  test('are at most 1024, and the others stand together', () => {
    const responders = new Responders();
    for (let port = 1; port <= 1100; port += 1) responders.take(reply(port, 1), 1);
    const { responders: known, otherResponders } = responders.fields();
    expect([known.length, otherResponders]).toEqual([1024, { replies: 76 }]);
    const lines = responders.describe();
    expect([lines.length, lines.at(-1)]).toEqual([11, 'from at least 1015 others: 1090 replies']);
  });
});
