import { describe, expect, test } from '@jest/globals';
import { expectContains } from '../../src/check/expectation.js';
import { Judge } from '../../src/check/judge.js';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import type { Datagram } from '../../src/net/index.js';
import { Measurement } from '../../src/check/measurement.js';
import { fc, holds } from '../support/property.js';

const SIZE = 32;
const REMOTE = { address: '127.0.0.1', port: 7 };

const received = (data: Uint8Array, timeMs = 0): Datagram => ({ data, timeMs, remote: REMOTE, local: undefined });

interface Setting {
  readonly measurement: Measurement;
  readonly judge: Judge;
  readonly payloads: NumberedPayloads;
  readonly reply: (data: Uint8Array | string, timeMs?: number) => string;
}

function measuring(
  options: { readonly size?: number; readonly lateMs?: number; readonly expects?: string } = {},
): Setting {
  const { size = SIZE, lateMs = Infinity, expects } = options;
  const payloads = new NumberedPayloads(size);
  const measurement = new Measurement({ numbered: payloads, lateMs });
  const judge = new Judge(expects === undefined ? [] : [expectContains(Buffer.from(expects), 'utf8')]);
  const reply = (data: Uint8Array | string, timeMs?: number): string =>
    measurement.reply(received(Buffer.from(data as string), timeMs), judge).outcome;
  return { measurement, judge, payloads, reply };
}

const copy = (payloads: NumberedPayloads, sequence: number): Buffer => Buffer.from(payloads.take(sequence, 1)[0]!);

describe('replies that echo numbered payloads', () => {
  /** The fate of each request: how many copies come back unchanged, and which byte is changed in each further copy. */
  const fates = fc.array(
    fc.record({
      copies: fc.integer({ min: 0, max: 3 }),
      corrupted: fc.array(fc.record({ at: fc.nat(SIZE - 1), flip: fc.integer({ min: 1, max: 255 }) }), {
        maxLength: 2,
      }),
    }),
    { maxLength: 12 },
  );

  test('are counted as lost, duplicated, corrupted and reordered exactly', () => {
    const cases = fates.chain((all) => {
      const replies = all.flatMap(({ copies, corrupted }, sequence) => [
        ...Array.from({ length: copies }, () => ({ sequence, change: undefined })),
        ...corrupted.map((change) => ({ sequence, change })),
      ]);
      return fc.tuple(
        fc.constant(all),
        fc.shuffledSubarray(replies, { minLength: replies.length, maxLength: replies.length }),
      );
    });
    holds(
      fc.property(cases, ([all, replies]) => {
        const { measurement, judge, payloads, reply } = measuring();
        measurement.sending(all.length, 0);
        let largest = -1;
        let reordered = 0;
        const seen = new Set<number>();
        for (const { sequence, change } of replies) {
          const data = copy(payloads, sequence);
          if (change !== undefined) data[change.at]! ^= change.flip;
          else if (!seen.has(sequence)) {
            seen.add(sequence);
            if (sequence < largest) reordered += 1;
            largest = Math.max(largest, sequence);
          }
          reply(data);
        }
        const replied = all.filter(({ copies }) => copies > 0).length;
        const corrupted = all.reduce((sum, fate) => sum + fate.corrupted.length, 0);
        expect(measurement).toMatchObject({
          requests: all.length,
          replied,
          lost: all.length - replied,
          duplicated: all.reduce((sum, { copies }) => sum + Math.max(0, copies - 1), 0),
          corrupted,
          reordered,
          unmatched: 0,
          matchedBy: 'content',
        });
        expect(judge.matching).toBe(replied);
        expect(judge.mismatch !== undefined).toBe(corrupted > 0);
        expect(measurement.roundTrips.count).toBe(replied);
      }),
    );
  });

  test('are timed from their own requests', async () => {
    const { measurement, payloads, reply } = measuring();
    await measurement.roundTrips.load();
    measurement.sending(1, 100);
    measurement.sending(1, 200);
    reply(copy(payloads, 1), 205);
    reply(copy(payloads, 0), 207);
    expect(measurement.roundTrips.summary()).toMatchObject({ minMs: 5, maxMs: 107 });
  });

  test('are late if they take longer than the limit', () => {
    const { measurement, payloads, reply } = measuring({ lateMs: 10 });
    measurement.sending(2, 100);
    reply(copy(payloads, 0), 110);
    reply(copy(payloads, 1), 111);
    expect(measurement).toMatchObject({ replied: 2, late: 1 });
  });

  test('answer their requests only in time, and if they match', () => {
    const { measurement, payloads, reply } = measuring({ lateMs: 10, expects: 'udpcat' });
    measurement.sending(3, 100);
    reply(copy(payloads, 0), 110);
    reply(copy(payloads, 1), 111);
    expect(measurement).toMatchObject({ replied: 2, late: 1, mismatched: 2, answered: 0 });
    const { measurement: other, payloads: sent, reply: match } = measuring({ lateMs: 10 });
    other.sending(3, 100);
    match(copy(sent, 0), 110);
    match(copy(sent, 1), 111);
    match(copy(sent, 1), 112);
    expect(other).toMatchObject({ replied: 2, late: 1, answered: 1, lost: 1 });
  });

  test('of another run, and of a request never sent, match none', () => {
    const { measurement, judge, payloads, reply } = measuring();
    measurement.sending(1, 0);
    expect(reply(copy(new NumberedPayloads(SIZE), 0))).toBe('surplus');
    expect(reply(copy(payloads, 1))).toBe('surplus');
    expect(measurement).toMatchObject({ replied: 0, unmatched: 2, matchedBy: 'content' });
    expect(judge).toMatchObject({ matching: 0, mismatch: undefined });
  });

  test('that fail an expectation count as received', () => {
    const { measurement, judge, payloads, reply } = measuring({ expects: 'OK' });
    measurement.sending(1, 0);
    expect(reply(copy(payloads, 0))).toBe('mismatch');
    expect(measurement).toMatchObject({ replied: 1, lost: 0, mismatched: 1 });
    expect(judge.matching).toBe(0);
  });

  test('have a round-trip time of 0 if the clock was set back', async () => {
    const { measurement, payloads, reply } = measuring();
    await measurement.roundTrips.load();
    measurement.sending(1, 1000);
    reply(copy(payloads, 0), 500);
    expect(measurement.roundTrips.summary()).toMatchObject({ minMs: 0, maxMs: 0 });
  });
});

describe('replies that are no echoes, if others are', () => {
  const foreign = fc.oneof(
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    fc.constantFrom('OK', 'no').map((text) => Buffer.from(text)),
    fc.nat(5).map((sequence) => copy(new NumberedPayloads(SIZE), sequence)),
  );

  test('count for nothing, before and after the first echo', () => {
    const replies = fc.array(fc.oneof(foreign, fc.nat(5)), { maxLength: 30 });
    holds(
      fc.property(replies, fc.array(foreign, { maxLength: 10 }), (mixed, first) => {
        const all = measuring({ lateMs: 10 });
        const echoesOnly = measuring({ lateMs: 10 });
        for (const { measurement } of [all, echoesOnly]) measurement.sending(6, 0);
        const echoes = mixed.filter((reply) => typeof reply === 'number');
        for (const reply of first) all.reply(reply, 50);
        for (const reply of [...mixed, 0]) {
          if (typeof reply !== 'number') all.reply(reply, 50);
          else for (const { payloads, reply: take } of [all, echoesOnly]) take(copy(payloads, reply), reply * 5);
        }
        const { unmatched, ...rest } = all.measurement.fields() as Record<string, unknown>;
        expect(rest).toEqual(echoesOnly.measurement.fields());
        expect(unmatched ?? 0).toBe(first.length + mixed.length - echoes.length);
        expect(all.judge).toMatchObject({ matching: echoesOnly.judge.matching, mismatch: undefined });
      }),
    );
  });

  test('leave no times and no mismatch behind, but corrupted echoes do', async () => {
    const { measurement, judge, payloads, reply } = measuring({ lateMs: 10 });
    await measurement.roundTrips.load();
    measurement.sending(2, 0);
    expect(reply('hello', 50)).toBe('match');
    expect(reply(copy(payloads, 1).subarray(0, 20))).toBe('mismatch');
    expect(reply('hello', 60)).toBe('match');
    expect(measurement).toMatchObject({ replied: 2, late: 2, matchedBy: 'order' });
    expect(reply(copy(payloads, 0), 5)).toBe('match');
    expect(measurement).toMatchObject({ replied: 1, lost: 1, late: 0, corrupted: 1, unmatched: 2 });
    expect(measurement.roundTrips.summary()).toMatchObject({ minMs: 5, maxMs: 5, jitterMs: 0 });
    expect(judge).toMatchObject({ matching: 1, mismatch: expect.stringContaining('corrupted') });
  });
});

describe('other replies', () => {
  test('match the oldest open requests, and further ones are duplicates', () => {
    holds(
      fc.property(fc.nat(40), fc.array(fc.boolean(), { maxLength: 60 }), (requests, replies) => {
        const { measurement, judge, reply } = measuring({ expects: 'OK' });
        measurement.sending(requests, 0);
        for (const matches of replies) reply(matches ? 'OK' : 'no');
        const matching = replies.filter(Boolean).length;
        expect(measurement).toMatchObject({
          replied: Math.min(requests, matching),
          lost: Math.max(0, requests - matching),
          duplicated: Math.max(0, matching - requests),
          mismatched: replies.length - matching,
          matchedBy: replies.length === 0 ? 'content' : 'order',
        });
        expect(judge.matching).toBe(matching);
      }),
    );
  });

  test('belong to no request whose time is over, once a reply came in time', () => {
    const { measurement, reply } = measuring({ lateMs: 2000 });
    // A request a second. The second, third and fourth are lost.
    for (const [second, isLost] of [false, true, true, true, false, false, false].entries()) {
      measurement.sending(1, second * 1000);
      if (!isLost) reply('OK', second * 1000 + 100);
    }
    expect(measurement).toMatchObject({ lost: 3, late: 0, answered: 4 });
  });

  test('are late if no reply came in time before', () => {
    const { measurement, reply } = measuring({ lateMs: 2000 });
    for (const second of [0, 1, 2, 3, 4]) measurement.sending(1, second * 1000);
    for (const second of [0, 1]) reply('OK', (second + 3) * 1000);
    expect(measurement).toMatchObject({ lost: 3, late: 2, answered: 0 });
  });

  test('are matched by order if payloads are too short for a number, even echoes', () => {
    const { measurement, payloads, reply } = measuring({ size: 8 });
    expect(measurement.matchedBy).toBe('order');
    measurement.sending(2, 0);
    reply(copy(payloads, 0));
    expect(measurement).toMatchObject({ replied: 1, lost: 1, matchedBy: 'order' });
  });

  test('give no counts that order cannot tell', () => {
    const { measurement, reply } = measuring();
    measurement.sending(2, 0);
    reply('OK');
    expect(measurement.fields()).toEqual({
      lost: 1,
      lossPercent: 50,
      duplicated: 0,
      reordered: null,
      corrupted: null,
      late: 0,
      refused: 0,
      matchedBy: 'order',
      rtt: null,
      histogram: [],
    });
  });
});

test('a measurement leaves out requests that the kernel did not take, and times requests that were sent again from then on', async () => {
  const { measurement, reply } = measuring();
  await measurement.roundTrips.load();
  measurement.sending(3, 0);
  measurement.taken(1, Float64Array.of(50, 60));
  measurement.sentAgain(100);
  reply('OK', 101);
  expect(measurement).toMatchObject({ requests: 2, replied: 1, lost: 1 });
  expect(measurement.roundTrips.summary()?.maxMs).toBe(1);
});

test('a measurement describes the losses, and every other count above 0', () => {
  const { measurement, payloads, reply } = measuring({ expects: 'OK', lateMs: 1 });
  expect(measurement.describe()).toEqual(['0 lost (0%)']);
  measurement.sending(4, 0);
  measurement.refused = 2;
  reply(copy(payloads, 1), 5);
  reply(copy(payloads, 0));
  reply(copy(payloads, 0));
  reply(copy(payloads, 9));
  reply(copy(payloads, 2).subarray(0, 20));
  expect(measurement.describe()).toEqual([
    '2 lost (50%)',
    '1 duplicated',
    '1 reordered',
    '1 corrupted',
    '1 late',
    '2 refused',
    '2 mismatched',
    '1 unmatched',
  ]);
});
