import { describe, expect, test } from '@jest/globals';
import { Judge } from '../../src/check/judge.js';
import { Measurement } from '../../src/check/measurement.js';
import { Totals } from '../../src/stats/totals.js';

describe('the totals of a run', () => {
  test('have the fields of the contract from the start', () => {
    expect(new Totals().fields()).toEqual({
      sent: 0,
      received: 0,
      dropped: { kernel: null, queue: 0, output: 0 },
      durationMs: expect.any(Number),
    });
  });

  test('show every other count only if it is above 0', () => {
    const totals = new Totals();
    Object.assign(totals, { sent: 1, received: 2, denied: 5, unanswered: 6, strays: 7, receiveErrors: 9 });
    Object.assign(totals.drops, { kernel: 8, queue: 3, output: 4 });
    expect(totals.fields()).toMatchObject({
      sent: 1,
      received: 2,
      dropped: { kernel: 8, queue: 3, output: 4 },
      denied: 5,
      unanswered: 6,
      strays: 7,
      receiveErrors: 9,
    });
    expect(totals.describe()).toMatch(
      /^2 received, 1 sent, 8 dropped by the kernel, 3 dropped by the full queue, 4 dropped by the output, 5 denied, 6 not answered, 7 from strangers, 9 failures to receive in \d+\.\d{3} s$/,
    );
  });

  test('of a run that measures count requests with a reply as received, once there can be several requests', async () => {
    const totals = new Totals();
    const measurement = new Measurement({ lateMs: Infinity });
    totals.measure(measurement);
    Object.assign(totals, { sent: 3, received: 2 });
    measurement.sending(3, 0);
    expect(totals.measurement).toBeUndefined();
    expect(totals.fields()).not.toHaveProperty('lost');
    await measurement.roundTrips.load();
    measurement.reply(
      { data: Buffer.of(), timeMs: 1, remote: { address: '127.0.0.1', port: 7 }, local: undefined },
      new Judge([]),
    );
    expect(totals.fields()).toMatchObject({ sent: 3, received: 1, lost: 2, lossPercent: 66.67, matchedBy: 'order' });
    expect(totals.describe()).toMatch(/^1 received, 3 sent, 2 lost \(66\.67%\) in /);
  });

  test('say whether the kernel may have dropped more than it counted', () => {
    const totals = new Totals();
    const { drops } = totals;
    Object.assign(drops, { kernel: 2 });
    expect(totals.fields()).not.toHaveProperty('kernelIsLowerBound');
    Object.assign(drops, { kernelIsLowerBound: true, queue: 1 });
    expect(totals.fields()).toMatchObject({ dropped: { kernel: 2 }, kernelIsLowerBound: true });
    expect(drops.describe()).toEqual(['at least 2 dropped by the kernel', '1 dropped by the full queue']);
    Object.assign(drops, { kernel: 0 });
    expect(totals.describe()).toContain(', at least 0 dropped by the kernel, ');
  });

  test('in words leave out counts of 0', () => {
    expect(new Totals().describe()).toMatch(/^0 received, 0 sent in \d+\.\d{3} s$/);
  });

  test('have the drops on this host as a sum, and in words', () => {
    const { drops } = new Totals();
    expect([drops.total, drops.describe()]).toEqual([0, []]);
    Object.assign(drops, { kernel: 1, queue: 2, output: 3 });
    expect([drops.total, drops.describe()]).toEqual([
      6,
      ['1 dropped by the kernel', '2 dropped by the full queue', '3 dropped by the output'],
    ]);
  });

  test('have a duration since their construction, to the microsecond', () => {
    const beforeMs = performance.now();
    const totals = new Totals();
    const { durationMs } = totals.fields();
    expect(durationMs).toBeLessThanOrEqual(performance.now() - beforeMs + 0.001);
    expect(durationMs).toBeGreaterThanOrEqual(0);
    expect(String(durationMs)).toMatch(/^\d+(\.\d{1,3})?$/);
  });
});
