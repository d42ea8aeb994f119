import { describe, expect, test } from '@jest/globals';
import { NumberedPayloads } from '../../src/input/numbered-payload.js';
import type { Datagram, Endpoint } from '../../src/net/index.js';
import { MAX_PEERS, PeerTable } from '../../src/stats/peers.js';
import { fc, holds } from '../support/property.js';

const START_MS = Date.UTC(2026, 10, 22, 8);

const datagram = (remote: Endpoint, size: number, timeMs = START_MS): Datagram => ({
  data: new Uint8Array(size),
  remote,
  local: undefined,
  timeMs,
});
const peer = (port: number, address = '127.0.0.1'): Endpoint => ({ address, port });

/** Makes a table with this many peers, each of which sent one byte. */
function crowded(peers: number, responds = false): PeerTable {
  const table = new PeerTable(responds);
  for (let index = 0; index < peers; index += 1) {
    table.count([datagram(peer(1 + (index % 1000), `127.0.0.${1 + Math.floor(index / 1000)}`), 1)]);
  }
  return table;
}

describe('the table of peers', () => {
  test('has for each peer its datagrams, their sizes, times and rate, the peer with the most datagrams first', () => {
    const table = new PeerTable(false);
    table.count([
      datagram(peer(1), 5, START_MS),
      datagram(peer(2, 'fe80::1%eth0'), 0, START_MS + 1000.5),
      datagram(peer(2, 'fe80::1%eth0'), 1400, START_MS + 1250.5),
      datagram(peer(2, 'fe80::1%eth0'), 7, START_MS + 1500.5),
    ]);
    expect(table.fields()).toEqual({
      peers: [
        {
          peer: '[fe80::1%eth0]:2',
          received: 3,
          bytes: 1407,
          smallest: 0,
          largest: 1400,
          first: '2026-11-22T08:00:01.000500Z',
          last: '2026-11-22T08:00:01.500500Z',
          perSecond: 4,
        },
        {
          peer: '127.0.0.1:1',
          received: 1,
          bytes: 5,
          smallest: 5,
          largest: 5,
          first: '2026-11-22T08:00:00.000000Z',
          last: '2026-11-22T08:00:00.000000Z',
        },
      ],
    });
    expect(table.describe()).toEqual([
      'from [fe80::1%eth0]:2: 3 received, 1407 bytes (0 to 1400 each), 4.0/s, ' +
        '2026-11-22T08:00:01.000500Z to 2026-11-22T08:00:01.500500Z',
      'from 127.0.0.1:1: 1 received, 5 bytes, 2026-11-22T08:00:00.000000Z',
    ]);
  });

  test('is empty before the first datagram', () => {
    const table = new PeerTable(true);
    expect({ fields: table.fields(), lines: table.describe(), size: table.size, bytes: table.bytes }).toEqual({
      fields: { peers: [] },
      lines: [],
      size: 0,
      bytes: 0,
    });
  });

  test('has the number of responses, also 0, if the server responds', () => {
    const table = new PeerTable(true);
    table.count([datagram(peer(1), 1), datagram(peer(1), 1), datagram(peer(2), 1)]);
    table.responded(peer(1));
    expect(table.fields().peers).toMatchObject([
      { peer: '127.0.0.1:1', received: 2, answered: 1 },
      { peer: '127.0.0.1:2', received: 1, answered: 0 },
    ]);
    expect(table.describe()[0]).toContain(', 1 answered, ');
  });

  test('counts two ports of one address as two peers, and equal endpoint objects as one', () => {
    const table = new PeerTable(false);
    table.count([datagram(peer(1), 1), datagram(peer(2), 1), datagram(peer(1), 1), datagram({ ...peer(1) }, 1)]);
    expect(table.fields().peers.map(({ received }) => received)).toEqual([3, 1]);
  });

  test('shows people the ten peers with the most datagrams and JSON a hundred, the others together', () => {
    const table = crowded(150);
    expect(table.describe()).toHaveLength(11);
    expect(table.describe().at(-1)).toMatch(/^from 140 others: 140 received, 140 bytes, /);
    expect(table.fields()).toMatchObject({
      peers: { length: 100 },
      otherPeers: { count: 50, countIsLowerBound: false, received: 50 },
    });
    expect(crowded(11).describe().at(-1)).toMatch(/^from 1 other: /);
  });

  test('gives no more peers a row than allowed, and counts the others together', () => {
    const table = crowded(3000, true);
    table.responded(peer(1000, '127.0.0.3'));
    expect({ size: table.size, isFull: table.isFull, bytes: table.bytes }).toEqual({
      size: MAX_PEERS,
      isFull: true,
      bytes: 3000,
    });
    expect(table.fields().otherPeers).toMatchObject({
      count: MAX_PEERS - 100 + 1,
      countIsLowerBound: true,
      received: 2900,
      answered: 1,
    });
    expect(table.describe().at(-1)).toMatch(/^from at least 1015 others: 2990 received, 2990 bytes, 1 answered, /);
    expect(crowded(MAX_PEERS).isFull).toBe(false);
  });

  test('adds up to all datagrams and all responses', () => {
    const sender = fc.record({ address: fc.constantFrom('127.0.0.1', '::1', '127.0.0.2'), port: fc.nat(600) });
    const arrival = fc.record({ from: sender, size: fc.nat(1500), timeMs: fc.nat(10_000), responded: fc.boolean() });
    holds(
      fc.property(fc.array(fc.array(arrival, { maxLength: 300 }), { maxLength: 10 }), (batches) => {
        const table = new PeerTable(true);
        for (const batch of batches) {
          table.count(batch.map(({ from, size, timeMs }) => datagram(from, size, START_MS + timeMs)));
          for (const { from, responded } of batch) if (responded) table.responded(from);
        }
        const all = batches.flat();
        const { peers, otherPeers } = table.fields();
        const rows = [...peers, ...(otherPeers ? [otherPeers] : [])];
        const sum = (value: (row: (typeof rows)[number]) => number): number =>
          rows.reduce((total, row) => total + value(row), 0);
        expect(sum(({ received }) => received)).toBe(all.length);
        expect(sum(({ bytes }) => bytes)).toBe(all.reduce((total, { size }) => total + size, 0));
        expect(table.bytes).toBe(sum(({ bytes }) => bytes));
        expect(sum(({ answered = 0 }) => answered)).toBe(all.filter(({ responded }) => responded).length);
        expect(table.size).toBe(
          Math.min(MAX_PEERS, new Set(all.map(({ from }) => `${from.address} ${from.port}`)).size),
        );
        if (all.length === 0) return;
        expect(Math.min(...rows.map(({ smallest }) => smallest))).toBe(Math.min(...all.map(({ size }) => size)));
        expect(Math.max(...rows.map(({ largest }) => largest))).toBe(Math.max(...all.map(({ size }) => size)));
      }),
    );
  });
});

describe('a full table', () => {
  const named = (table: PeerTable) => table.fields().peers.map(({ peer: name }) => name);

  test('has as many rows as asked for', () => {
    const table = new PeerTable(false, 2);
    table.count([datagram(peer(1), 1), datagram(peer(2), 1), datagram(peer(3), 1), datagram(peer(1), 1)]);
    expect(named(table)).toEqual(['127.0.0.1:1', '127.0.0.1:2']);
    expect(table.fields().otherPeers).toMatchObject({ count: 1, countIsLowerBound: true, received: 1 });
  });

  test('gives the row of a peer that was silent for a minute to a new peer, and still counts all datagrams', () => {
    const table = new PeerTable(true, 2);
    table.count([datagram(peer(1), 5), datagram(peer(2), 1, START_MS + 59_000)]);
    table.count([datagram(peer(3), 1, START_MS + 59_500)]);
    table.count([datagram(peer(4), 1, START_MS + 60_500)]);
    expect(named(table)).toEqual(['127.0.0.1:2', '127.0.0.1:4']);
    expect(table.fields().otherPeers).toMatchObject({ received: 2, bytes: 6, first: '2026-11-22T08:00:00.000000Z' });
    table.count([datagram(peer(2), 1, START_MS + 61_000)]);
    expect(table.fields().peers[0]).toMatchObject({ peer: '127.0.0.1:2', received: 2 });
    expect(table.bytes).toBe(9);
  });

  test('counts a late response to a peer without a row with the others', () => {
    const table = new PeerTable(true, 1);
    table.count([datagram(peer(1), 1)]);
    table.count([datagram(peer(2), 1, START_MS + 60_000)]);
    table.responded(peer(1));
    expect(table.fields()).toMatchObject({
      peers: [{ peer: '127.0.0.1:2', answered: 0 }],
      otherPeers: { answered: 1 },
    });
    expect(table.size).toBe(1);
  });

  test('works on after the clock was set back', () => {
    const table = new PeerTable(false, 1);
    table.count([datagram(peer(1), 1), datagram(peer(2), 1, START_MS - 3_600_000)]);
    table.count([datagram(peer(2), 1, START_MS + 60_000)]);
    expect(named(table)).toEqual(['127.0.0.1:2']);
  });
});

describe('the numbered payloads in the table', () => {
  /** Datagrams of one run with these numbers. */
  function numbered(remote: Endpoint, numbers: readonly number[], timeMs = START_MS): Datagram[] {
    const payloads = new NumberedPayloads(20);
    return numbers.map((number) => ({
      ...datagram(remote, 0, timeMs),
      data: Buffer.from(payloads.take(number, 1)[0]!),
    }));
  }

  test('stand in the row of their peer, in words only if a count is not 0', () => {
    const table = new PeerTable(false);
    const [first, second] = [numbered(peer(1), [0, 1, 4, 2, 2, 5, 7]), numbered(peer(2), [0, 1])];
    first[5]!.data[19]! ^= 1;
    table.count([...first, ...second, datagram(peer(3), 20)]);
    const [one, two, three] = table.fields().peers;
    expect(one).toMatchObject({ lost: 2, lossPercent: 25, duplicated: 1, reordered: 1, corrupted: 1 });
    expect(two).toMatchObject({ lost: 0, lossPercent: 0, duplicated: 0, reordered: 0, corrupted: 0 });
    expect(three).not.toHaveProperty('lost');
    expect(table.describe().map((line) => line.replace(/(, \d{4}-).*/, ''))).toEqual([
      'from 127.0.0.1:1: 7 received, 140 bytes, 2 lost (25%), 1 duplicated, 1 reordered, 1 corrupted',
      'from 127.0.0.1:2: 2 received, 40 bytes, 0 lost (0%)',
      'from 127.0.0.1:3: 1 received, 20 bytes',
    ]);
  });

  test('are counted with the others if their peer is shown with the others, or has lost its row', () => {
    const table = new PeerTable(false, 300);
    for (let port = 1; port <= 300; port += 1) table.count(numbered(peer(port), [0, 2]));
    table.count(numbered(peer(301), [0, 2], START_MS + 60_000));
    const { peers, otherPeers } = table.fields();
    expect(peers).toHaveLength(1);
    expect(otherPeers).toMatchObject({ received: 600, lost: 300, lossPercent: 33.33 });
    expect(crowded(150).fields().otherPeers).not.toHaveProperty('lost');
  });

  test('are counted, whether they come one by one or together', () => {
    const numbers = [...Array(100).keys()].filter((number) => number % 10 !== 5);
    const one = new PeerTable(false);
    const together = new PeerTable(false);
    const all = numbered(peer(1), numbers);
    one.count(all);
    const payloads = Buffer.concat(all.map(({ data }) => data));
    const { length: count } = all;
    const bytes = payloads.length;
    together.countTogether({
      ...{ remote: peer(1), count, bytes, smallest: 20, largest: 20, timeMs: START_MS, payloads },
    });
    expect(together.fields()).toEqual(one.fields());
    expect(one.fields().peers[0]).toMatchObject({ lost: 10, reordered: 0 });
  });
});
