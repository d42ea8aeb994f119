import { describe, expect } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CapturedDatagram } from '../../src/record/captured-datagram.js';
import { pcapHeader } from '../../src/record/formats/pcap-writer.js';
import { filter, startCapture, testCapturing } from '../support/capturing.js';
import { shellInNetwork, testInNamespaces } from '../support/namespaces.js';
import { testWith } from '../support/peers.js';
import { silentServer } from '../support/sockets.js';
import { commandLine, quote } from '../support/udpcat.js';
import { datagrams } from './arbitraries.js';
import { comparable, pcapRecord, readAll } from './files.js';
import { fc, holds, holdsAsync } from '../support/property.js';

const written = (all: readonly CapturedDatagram[]): Buffer => Buffer.concat([pcapHeader(), ...all.map(pcapRecord)]);

/** Many datagrams in one run, because a program takes longer to start than to read them. */
const many = fc.array(
  // tcpdump cannot show times after January 2038.
  datagrams.map((datagram) => ({ ...datagram, timeMs: 1e12 + (datagram.timeMs % 1e12) })),
  { minLength: 100, maxLength: 200 },
);

/** Wireshark's lowest severity. It is no complaint: for example a remark that a port is that of traceroute. */
const CHAT = 0x20_0000;

describe('a pcap file as written', () => {
  const fields = [
    ...['ip.src', 'ipv6.src', 'udp.srcport', 'ip.dst', 'ipv6.dst', 'udp.dstport', 'udp.length', 'frame.time_epoch'],
    ...['ip.checksum.status', 'udp.checksum.status', '_ws.expert.severity'],
  ];
  const args = [
    ...['-r', '-', '-n', '-T', 'fields', '-o', 'udp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'],
    // Payloads are not decoded: random bytes on port 53 would be malformed DNS.
    ...['-d', 'udp.port==0-65535,data'],
    ...fields.flatMap((field) => ['-e', field]),
  ];

  testWith('tshark', 'is read by tshark with the same ends, lengths and times, and good checksums', () => {
    holds(
      fc.property(many, (all) => {
        const lines = filter('tshark', args, written(all)).stdout.trimEnd().split('\n');
        const rows = lines.map((line) => {
          const [ip4, ip6, fromPort, to4, to6, toPort, length, time, ipCheck, udpCheck, remarks = ''] =
            line.split('\t');
          expect(Number(time)).toBeGreaterThan(0);
          const complaints = remarks.split(',').filter((severity) => Number(severity) > CHAT);
          return [ip4, ip6, fromPort, to4, to6, toPort, length, ipCheck, udpCheck, complaints].join(' ');
        });
        expect(rows).toEqual(
          all.map(({ source, destination, data }) => {
            const is4 = !source.address.includes(':');
            const ends = [source, destination].flatMap(({ address, port }) =>
              is4 ? [address, '', port] : ['', address, port],
            );
            // tshark's number for a good checksum is 1.
            return [...ends, data.length + 8, is4 ? 1 : '', 1, ''].join(' ');
          }),
        );
        for (const [n, { timeMs }] of all.entries()) {
          const [seconds = '', nanoseconds = ''] = lines[n]?.split('\t')[7]?.split('.') ?? [];
          expect(Math.abs(Number(seconds) * 1000 + Number(nanoseconds) / 1e6 - timeMs)).toBeLessThan(0.0005);
        }
      }),
      { runs: 3, shrinks: false },
    );
  });

  testWith('tcpdump', 'is read by tcpdump without a complaint', () => {
    holds(
      fc.property(many, (all) => {
        const { stdout, stderr } = filter('tcpdump', ['-r', '-', '-n', '-vv', '-tt', '--nano'], written(all));
        expect(stderr).toBe('reading from file -, link-type RAW (Raw IP), snapshot length 262144\n');
        // A packet is a line that begins with a time. Its further lines have no time.
        expect(stdout.match(/^\d+\.\d{9} IP/gm)).toHaveLength(all.length);
        expect(stdout).not.toMatch(/bad (udp )?cksum|truncated-ip|\[\|ip|\[\|udp|bad-len|bad-hlen/);
      }),
      { runs: 3, shrinks: false },
    );
  });

  testWith('editcap', 'is the same after editcap made it pcapng, or pcap of microseconds', async () => {
    await holdsAsync(
      fc.asyncProperty(many, async (all) => {
        for (const [format, mostMs] of [
          ['pcapng', 0.001],
          ['nsecpcap', 0.0001],
          ['pcap', 0.0011],
        ] as const) {
          const folder = mkdtempSync(join(tmpdir(), 'udpcat-editcap-'));
          const path = join(folder, 'converted');
          filter('editcap', ['-F', format, '-', path], written(all));
          const { datagrams, error, skipped } = await readAll(readFileSync(path));
          rmSync(folder, { recursive: true });
          expect({ error, skipped }).toEqual({ error: undefined, skipped: {} });
          const exact = all.map((one, n) => ({ ...one, timeMs: datagrams[n]?.timeMs ?? 0 }));
          expect(datagrams.map(comparable)).toEqual(exact.map(comparable));
          for (const [n, { timeMs }] of all.entries()) {
            expect(Math.abs((datagrams[n]?.timeMs ?? 0) - timeMs)).toBeLessThan(mostMs);
          }
        }
      }),
      { runs: 3, shrinks: false },
    );
  });
});

/** Payloads: empty, one byte, all byte values, many bytes, and the largest of each family in one packet on loopback. */
const PAYLOADS = [
  Buffer.of(),
  Buffer.of(0),
  Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)),
  ...Array.from({ length: 50 }, (_, n) => Buffer.from(`number ${n}`)),
  Buffer.alloc(65_536 - 48, 'x'),
];

interface Tool {
  readonly name: string;
  readonly program: string;
  /** @param path The file to write to. Default: stdout. */
  readonly args: (filter: string, packets: number, path: string) => string[];
  readonly toFile?: boolean;
}

const tcpdump = (...options: readonly string[]): Tool['args'] => {
  return (filter, packets) => [...options, '-w', '-', '-U', '-c', String(packets), filter];
};

const TOOLS: readonly Tool[] = [
  { name: 'tcpdump -i lo', program: 'tcpdump', args: tcpdump('-i', 'lo') },
  {
    name: 'tcpdump of nanoseconds',
    program: 'tcpdump',
    args: tcpdump('-i', 'lo', '--time-stamp-precision=nano'),
  },
  { name: 'tcpdump -i any', program: 'tcpdump', args: tcpdump('-i', 'any') },
  { name: 'tcpdump -i any -y LINUX_SLL', program: 'tcpdump', args: tcpdump('-i', 'any', '-y', 'LINUX_SLL') },
  {
    name: 'tshark',
    program: 'tshark',
    args: (filter, packets, path) => ['-i', 'lo', '-f', filter, '-a', `packets:${packets}`, '-w', path],
    toFile: true,
  },
  {
    name: 'dumpcap',
    program: 'dumpcap',
    args: (filter, packets, path) => ['-i', 'lo', '-f', filter, '-c', String(packets), '-w', path],
    toFile: true,
  },
  {
    name: 'dumpcap -P, pcap',
    program: 'dumpcap',
    args: (filter, packets, path) => ['-P', '-i', 'lo', '-f', filter, '-c', String(packets), '-w', path],
    toFile: true,
  },
];

describe.each([4, 6] as const)('real datagrams over IPv%d', (family) => {
  for (const { name, program, args, toFile = false } of TOOLS) {
    testCapturing([program], `captured by ${name} are read as they were sent, when they were`, async () => {
      const folder = mkdtempSync(join(tmpdir(), 'udpcat-capture-'));
      try {
        await using receiver = await silentServer(family);
        await using sender = await silentServer(family);
        const filter = `udp port ${receiver.port}`;
        const path = join(folder, 'capture');
        await using capture = await startCapture(
          program,
          args(filter, PAYLOADS.length, path),
          toFile ? /File: / : /listening on/,
        );
        const startMs = Date.now();
        for (const payload of PAYLOADS) await sender.send(payload, receiver.address);
        const written = await capture.ended;
        const { datagrams, error, skipped } = await readAll(toFile ? readFileSync(path) : written);
        const endMs = Date.now();
        expect({ error, skipped }).toEqual({ error: undefined, skipped: {} });
        const address = family === 4 ? '127.0.0.1' : '::1';
        expect(datagrams.map(comparable)).toEqual(
          PAYLOADS.map((data, n) =>
            comparable({
              timeMs: datagrams[n]?.timeMs ?? 0,
              source: { address, port: sender.port },
              destination: { address, port: receiver.port },
              data,
              // On loopback one large datagram looks like several joined ones.
              ...(data.length > 1472 ? { mayBeJoined: true } : {}),
            }),
          ),
        );
        for (const { timeMs } of datagrams) {
          expect(timeMs).toBeGreaterThan(startMs - 1);
          expect(timeMs).toBeLessThan(endMs + 1);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }

  testCapturing([], 'captured with a snap length are counted where they were cut, and whole where not', async () => {
    await using receiver = await silentServer(family);
    await using sender = await silentServer(family);
    const args = ['-i', 'lo', '-s', '100', '-w', '-', '-U', '-c', '2', `udp port ${receiver.port}`];
    await using capture = await startCapture('tcpdump', args, /listening on/);
    await sender.send(Buffer.alloc(200), receiver.address);
    await sender.send('whole', receiver.address);
    const { datagrams, error, skipped } = await readAll(await capture.ended);
    expect(error).toBeUndefined();
    expect(datagrams.map(({ data }) => Buffer.from(data).toString())).toEqual(['whole']);
    expect(skipped).toEqual({ cut: 1 });
  });
});

testInNamespaces(
  'real datagrams that went in fragments are read whole',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-fragments-'));
    try {
      const largest = { '127.0.0.1': Buffer.alloc(65_507, 'x'), '[::1]': Buffer.alloc(65_527, 'y') };
      const [ip4, ip6, path] = ['4', '6', 'capture'].map((name) => join(folder, name));
      writeFileSync(ip4!, largest['127.0.0.1']);
      writeFileSync(ip6!, largest['[::1]']);
      // 65515 bytes in packets of 1480 bytes (IPv4), and 65535 bytes in packets of 1448 bytes (IPv6).
      const capture = `tcpdump -i lo -w ${quote(path!)} -U -c ${45 + 46} '(ip[6:2] & 0x3fff) != 0 or ip6[6] = 44'`;
      const lines = [
        'ip link set lo mtu 1500',
        `exec 3< <(${capture} 2>&1)`,
        'until read -r line <&3 && [[ $line = *"listening on"* ]]; do :; done',
        commandLine(['send', '127.0.0.1:9999', '--file', ip4!]),
        commandLine(['send', '[::1]:9999', '--file', ip6!]),
        'cat <&3 >&2',
      ];
      await using run = shellInNetwork(lines.join('\n'));
      const { stderr } = await run.outcome;
      expect(stderr).toContain('91 packets captured');
      const { datagrams, error, skipped } = await readAll(readFileSync(path!));
      expect({ error, skipped }).toEqual({ error: undefined, skipped: {} });
      expect(datagrams.map(({ data }) => Buffer.from(data).toString('base64'))).toEqual(
        Object.values(largest).map((data) => data.toString('base64')),
      );
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  ['tcpdump'],
);
