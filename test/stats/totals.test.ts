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

  test('show other counts only where there is something to count', () => {
    const totals = new Totals();
    Object.assign(totals, {
      sent: 1,
      received: 2,
      kernelDropped: 8,
      queueDropped: 3,
      outputDropped: 4,
      denied: 5,
      unanswered: 6,
      strays: 7,
      receiveErrors: 9,
    });
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

  test('of a run that measures count as received what was answered, once more than one request may be made', async () => {
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
    expect(totals.fields()).toMatchObject({ sent: 3, received: 1, lost: 2, matchedBy: 'order' });
    expect(totals.describe()).toMatch(/^1 received, 3 sent, 2 lost in /);
  });

  test('say where the kernel may have dropped more than it counted, and only there', () => {
    const totals = new Totals();
    Object.assign(totals, { kernelDropped: 2 });
    expect(totals.fields()).not.toHaveProperty('kernelIsLowerBound');
    Object.assign(totals, { kernelIsLowerBound: true, queueDropped: 1 });
    expect(totals.fields()).toMatchObject({ dropped: { kernel: 2 }, kernelIsLowerBound: true });
    expect(totals.describeDrops()).toBe('at least 2 dropped by the kernel, 1 dropped by the full queue');
    Object.assign(totals, { kernelDropped: 0 });
    expect(totals.describe()).toContain(', at least 0 dropped by the kernel, ');
  });

  test('in words say nothing of what did not happen', () => {
    expect(new Totals().describe()).toMatch(/^0 received, 0 sent in \d+\.\d{3} s$/);
  });

  test('have what was lost on this host as a sum, and in words', () => {
    const totals = new Totals();
    expect([totals.dropped, totals.describeDrops()]).toEqual([0, '']);
    Object.assign(totals, { kernelDropped: 1, queueDropped: 2, outputDropped: 3, denied: 4 });
    expect([totals.dropped, totals.describeDrops()]).toEqual([
      6,
      '1 dropped by the kernel, 2 dropped by the full queue, 3 dropped by the output',
    ]);
  });

  test('last from the moment they were made, to the microsecond', () => {
    const beforeMs = performance.now();
    const totals = new Totals();
    const { durationMs } = totals.fields();
    expect(durationMs).toBeLessThanOrEqual(performance.now() - beforeMs + 0.001);
    expect(durationMs).toBeGreaterThanOrEqual(0);
    expect(String(durationMs)).toMatch(/^\d+(\.\d{1,3})?$/);
  });
});
