import { expect, test } from '@jest/globals';
import { Fingerprint } from '../../src/guard/fingerprint.js';
import { FingerprintTable } from '../../src/guard/fingerprint-table.js';

const fingerprint = new Fingerprint();
const peer = (port: number): Fingerprint => {
  fingerprint.setPeer({ address: '192.0.2.1', port });
  return fingerprint;
};

test('a fingerprint is found in the slot that it was given, with the time of its last use', () => {
  const table = new FingerprintTable(1024);
  expect(table.find(peer(1))).toBe(-1);
  const one = table.add(peer(1), 0);
  const two = table.add(peer(2), 5);
  expect([table.find(peer(1)), table.find(peer(2)), table.find(peer(3))]).toEqual([one, two, -1]);
  expect(one).not.toBe(two);
  table.use(one, 7);
  expect([table.usedMs(one), table.usedMs(two)]).toEqual([7, 5]);
});

test.each([
  [4, 4],
  [1500, 1024],
  [65_536, 65_536],
])('with at most %i entries there are %i slots, and never more are remembered', (maxEntries, slots) => {
  const table = new FingerprintTable(maxEntries);
  expect(table.slots).toBe(slots);
  for (let port = 0; port < 10_000; port += 1) {
    const slot = table.add(peer(port), port);
    if (slot < 0 || slot >= slots) throw new Error(`slot ${slot}`);
  }
  const known = Array.from({ length: 10_000 }, (_, port) => table.find(peer(port))).filter((slot) => slot >= 0);
  expect(known.length).toBeLessThanOrEqual(slots);
  expect(new Set(known).size).toBe(known.length);
  // Fingerprints spread over all slots: if they fill half of them, hardly any is forgotten.
  if (slots === 65_536) expect(known.length).toBeGreaterThan(9900);
});

test('a fingerprint in use is not forgotten, however many others come', () => {
  const table = new FingerprintTable(4);
  const slot = table.add(peer(1), 0);
  for (let port = 2; port < 1000; port += 1) {
    table.add(peer(port), port);
    table.use(slot, port + 0.5);
    expect(table.find(peer(1))).toBe(slot);
  }
});
