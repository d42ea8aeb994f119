import { describe, expect, test } from '@jest/globals';
import { temporaryRecordings } from '../support/recordings.js';
import { arrivals, silentServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { ipv4, pcapFile, udp } from '../record/files.js';

const recordings = temporaryRecordings();

/** Small captures that older versions refused, or skipped without a message. Each payload is "hello". */
const CAPTURES = [
  [
    'a plain packet and one in PPPoE',
    2,
    '1MOyoQIABAAAAAAAAAAAAP//AAABAAAAAPFTZQAAAAAvAAAALwAAAAAAAAAAAAAAAAAAAAgARQAAIQABAABAEQAAfwAAAX8A' +
      'AAID6AfQAA0AAGhlbGxvAPFTZQAAAAA3AAAANwAAAAAAAAAAAAAAAAAAAIhkEQAAAQAjACFFAAAhAAEAAEARAAB/AAABfwAA' +
      'AgPoB9AADQAAaGVsbG8=',
  ],
  [
    'MPLS',
    1,
    '1MOyoQIABAAAAAAAAAAAAP//AAABAAAAAPFTZQAAAAAzAAAAMwAAAAAAAAAAAAAAAAAAAIhHAAEBQEUAACEAAQAAQBEAAH8A' +
      'AAF/AAACA+gH0AANAABoZWxsbw==',
  ],
  [
    'GRE',
    1,
    '1MOyoQIABAAAAAAAAAAAAP//AAABAAAAAPFTZQAAAABHAAAARwAAAAAAAAAAAAAAAAAAAAgARQAAOQABAABALwAAfwAAAX8A' +
      'AAIAAAgARQAAIQABAABAEQAAfwAAAX8AAAID6AfQAA0AAGhlbGxv',
  ],
  [
    'PPP',
    1,
    '1MOyoQIABAAAAAAAAAAAAP//AAAJAAAAAPFTZQAAAAAlAAAAJQAAAP8DACFFAAAhAAEAAEARAAB/AAABfwAAAgPoB9AADQAA' + 'aGVsbG8=',
  ],
  [
    'pcap 2.3',
    1,
    '1MOyoQIAAwAAAAAAAAAAAP//AAABAAAAAPFTZQAAAAAvAAAALwAAAAAAAAAAAAAAAAAAAAgARQAAIQABAABAEQAAfwAAAX8A' +
      'AAID6AfQAA0AAGhlbGxv',
  ],
  [
    'gzip',
    1,
    'H4sIAKOTC2sC/7tyeNNCJgYWBhj4/5+BgRHE+BicCqL0oRgZcDC4MjAogpQ5CDIw1AM1ADET8wv2Cwy8DAwZqTk5+QDa6DJb' + 'VwAAAA==',
  ],
] as const;

test.each(CAPTURES)('a capture of %s is sent whole: %d datagrams', async (_title, count, base64) => {
  await using server = await silentServer();
  const path = recordings.write(Buffer.from(base64, 'base64'), 'pcap');
  for (const source of [path, '-']) {
    const stdin = Buffer.from(base64, 'base64');
    expect(await udpcat(['send', server.address, '--replay', source], { stdin })).toMatchObject({
      status: 0,
      stderr: '',
    });
  }
  expect(await arrivals(server)).toEqual(Array.from({ length: 2 * count }, () => 'hello'));
});

describe('a capture in which two of three packets have an impossible time', () => {
  const path = recordings.write(
    Buffer.from(
      'Cg0NChwAAABNPCsaAQAAAP//////////HAAAAAEAAAAUAAAAAQAAAAAAAAAUAAAABgAAAFAAAAAAAAAAAAAAAAEAAAAvAAAA' +
        'LwAAAAAAAAAAAAAAAAAAAAgARQAAIQABAABAEQAAfwAAAX8AAAID6AfQAA0AAGhlbGxvAFAAAAAGAAAAUAAAAAAAAAD/////' +
        'AQAAAC8AAAAvAAAAAAAAAAAAAAAAAAAACABFAAAhAAEAAEARAAB/AAABfwAAAgPoB9AADQAAaGVsbG8AUAAAAAYAAABQAAAA' +
        'AAAAAP////8BAAAALwAAAC8AAAAAAAAAAAAAAAAAAAAIAEUAACEAAQAAQBEAAH8AAAF/AAACA+gH0AANAABoZWxsbwBQAAAA',
      'base64',
    ),
    'pcapng',
  );

  test.each([
    [[], `udpcat: warning: 2 datagrams were sent without a pause: ${path} does not say when\n`],
    [['--speed', 'max'], ''],
    [['--rate', '100/s'], ''],
  ])('is sent whole with %j, with a warning if times matter', async (pace, told) => {
    await using server = await silentServer();
    const { status, stderr } = await udpcat(['send', server.address, '--replay', path, ...pace]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: told });
    expect(await arrivals(server)).toEqual(['hello', 'hello', 'hello']);
  });
});

describe('packets without a datagram', () => {
  const tcp = { data: ipv4(Buffer.alloc(20), { protocol: 6 }) };
  const icmp = { data: ipv4(Buffer.alloc(8), { protocol: 1 }) };
  const whole = { data: ipv4(udp('hello')) };
  const cut = { data: whole.data.subarray(0, -1), wireBytes: whole.data.length };

  test.each([
    [[tcp, icmp, tcp], '3 packets: 2 TCP, 1 ICMP'],
    [[tcp], '1 packet: 1 TCP'],
    [[cut, icmp, cut], '3 packets: 2 cut short by the capture, 1 ICMP'],
  ])('are listed if the capture has no datagram', async (packets, held) => {
    const path = recordings.write(pcapFile(packets), 'pcap');
    expect(await udpcat(['send', '127.0.0.1:9', '--replay', path])).toMatchObject({
      status: 1,
      stderr: `udpcat: ${path} holds no datagram to send: it holds ${held}\n`,
    });
  });

  test.each([
    [[whole, tcp, icmp, tcp], '2 TCP, 1 ICMP', ''],
    [[cut, whole, tcp], '1 cut short by the capture, 1 TCP', 'warning: '],
  ])('are listed behind datagrams, as a warning if a datagram may be lost', async (packets, told, warning) => {
    await using server = await silentServer();
    const path = recordings.write(pcapFile(packets), 'pcap');
    expect(await udpcat(['send', server.address, '--replay', path])).toMatchObject({
      status: 0,
      stderr: `udpcat: ${warning}not sent of ${path}: ${told}\n`,
    });
    expect(await arrivals(server)).toEqual(['hello']);
  });
});

test('datagrams that may be joined are sent as one each, with a warning that tells the remedy', async () => {
  await using server = await silentServer();
  // The checksum of joined datagrams is only the sum of the pseudo-header.
  const segments = udp('x'.repeat(6000));
  segments.writeUInt16BE(0x1234, 6);
  const path = recordings.write(pcapFile([{ data: ipv4(udp('hello')) }, { data: ipv4(segments) }]), 'pcap');
  expect(await udpcat(['send', server.address, '--replay', path])).toMatchObject({
    status: 0,
    stderr: `udpcat: warning: a datagram of 6000 bytes in ${path} may be several that segmentation offload joined: it was sent as one; "ethtool -K INTERFACE gso off gro off tx-udp-segmentation off" before a capture keeps them apart\n`,
  });
  expect((await arrivals(server)).map(({ length }) => length)).toEqual([5, 6000]);
});
