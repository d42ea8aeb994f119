import { describe, expect, test } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { filter } from '../support/capturing.js';
import { shellInNetwork, testInNamespaces } from '../support/namespaces.js';
import { testWith } from '../support/peers.js';
import { commandLine, quote } from '../support/udpcat.js';
import { ENCAPSULATIONS } from './encapsulations.js';
import { Blocks, ethernet, ipv4, payloadsOf, pcapFile, readAll, udp } from './files.js';

/**
 * Encapsulations that tshark 4 reads in another way. It takes the first address of most pseudowires for a control word.
 * It knows neither MPLS without Ethernet nor PPP of pppd. It reads the fields of NFLOG in the byte order of the file.
 */
const UNLIKE_TSHARK = /pseudowire|captured as such|big-endian|PKTAP/;

testWith('tshark', 'finds the same datagrams in every encapsulation, in one file of many link types', async () => {
  const rows = ENCAPSULATIONS.filter(([name]) => !UNLIKE_TSHARK.test(name));
  expect(rows.length).toBeGreaterThan(45);
  const blocks = new Blocks();
  const file = Buffer.concat([
    blocks.section(),
    ...rows.map(([, linkType]) => blocks.interface(linkType)),
    ...rows.map(([, , packet], number) => blocks.enhanced(packet, { number })),
  ]);
  const args = ['-r', '-', '-n', '-T', 'fields', '-d', 'udp.port==0-65535,data', '-e', 'udp.payload', '-e', 'udp.port'];
  const { stdout } = filter('tshark', args, file);
  const row = `${Buffer.from('hello').toString('hex')}\t40000,8000`;
  expect(stdout.trimEnd().split('\n')).toEqual(rows.map(() => row));
  expect(await payloadsOf(file)).toEqual(rows.map(() => 'hello'));
});

/** Runs a program in a folder with these files. Returns the file `out` that it wrote. */
function converted(
  files: Readonly<Record<string, Uint8Array | string>>,
  program: string,
  args: readonly string[],
): Buffer {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-converted-'));
  try {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
    filter('sh', ['-c', `cd ${quote(folder)} && ${program} ${args.join(' ')}`], Buffer.of());
    return readFileSync(join(folder, 'out'));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const framesOf = (...texts: readonly string[]): Buffer =>
  pcapFile(
    texts.map((text, n) => ({ data: ethernet(0x0800, ipv4(udp(text))), seconds: 1_800_000_000 + n })),
    { linkType: 1 },
  );

describe('a capture of frames', () => {
  for (const format of ['pcap', 'nsecpcap', 'modpcap', 'pcapng']) {
    testWith('editcap', `that editcap made ${format} is read`, async () => {
      const file = converted({ in: framesOf('one', 'two') }, 'editcap', ['-F', format, 'in', 'out']);
      expect(await payloadsOf(file)).toEqual(['one', 'two']);
    });
  }

  testWith('mergecap', 'that mergecap made of several link types is read in the order of time', async () => {
    const raw = pcapFile([{ data: ipv4(udp('between')), seconds: 1_800_000_000, fraction: 500_000 }]);
    const file = converted({ a: framesOf('one', 'two'), b: raw }, 'mergecap', ['-F', 'pcapng', '-w', 'out', 'a', 'b']);
    expect(await payloadsOf(file)).toEqual(['one', 'between', 'two']);
  });

  testWith('text2pcap', 'that text2pcap made of a dump is read', async () => {
    const dump = (text: string): string =>
      `000000 ${[...ethernet(0x0800, ipv4(udp(text)))].map((byte) => byte.toString(16).padStart(2, '0')).join(' ')}\n`;
    for (const format of ['pcap', 'pcapng']) {
      const file = converted({ in: dump('one') + dump('two') }, 'text2pcap', ['-q', '-F', format, 'in', 'out']);
      expect(await payloadsOf(file)).toEqual(['one', 'two']);
    }
  });
});

/**
 * Kinds of links of Linux, from 10.9.8.1 to the other end of the cable: the command that makes one, and the
 * destination.
 */
const LINKS: readonly [string, string, string, string][] = [
  ['veth', 'true', '', '10.9.8.2'],
  ['vlan', 'link lan0 name x0 type vlan id 5', '10.9.7.1/24', '10.9.7.2'],
  ['802.1ad', 'link lan0 name x0 type vlan protocol 802.1ad id 5', '10.9.7.1/24', '10.9.7.2'],
  ['gre', 'name x0 type gre local 10.9.8.1 remote 10.9.8.2 key 7', '10.9.7.1/24', '10.9.7.2'],
  ['gretap', 'name x0 type gretap local 10.9.8.1 remote 10.9.8.2', '10.9.7.1/24', '10.9.7.2'],
  [
    'erspan',
    'name x0 type erspan seq key 5 local 10.9.8.1 remote 10.9.8.2 erspan_ver 1 erspan 1',
    '10.9.7.1/24',
    '10.9.7.2',
  ],
  ['ipip', 'name x0 type ipip local 10.9.8.1 remote 10.9.8.2', '10.9.7.1/24', '10.9.7.2'],
  ['sit', 'name x0 type sit local 10.9.8.1 remote 10.9.8.2', 'fd09:7::1/64', 'fd09:7::2'],
];

for (const [name, link, own, remote] of LINKS) {
  const isThere =
    link === 'true' ||
    spawnSync('unshare', ['--net', 'sh', '-c', `ip link add ${link.replace('link lan0', 'link lo')}`]).status === 0;
  if (!isThere) {
    test.skip(`datagrams over ${name} are read (skipped: this kernel has no ${name})`, () => undefined);
    continue;
  }
  testInNamespaces(
    `datagrams over ${name} are read as they were sent, from a capture of the cable`,
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'udpcat-link-'));
      try {
        const path = join(folder, 'capture');
        // Packets that the kernels exchange by themselves are left out.
        const chatter = 'not arp and not ip6 and not (ip proto 41 and ip[26] != 17)';
        const capture = `tcpdump -i lan1 -w ${quote(path)} -U -c 2 '${chatter}'`;
        // There is no host at the other end. So its address is put into the neighbour table.
        const device = link === 'true' ? 'lan0' : 'x0';
        const neighbour = `ip neighbour replace ${remote} lladdr 02:00:00:00:00:02 dev ${device} nud permanent 2>/dev/null`;
        const silent = (name: string): string => `echo 1 >/proc/sys/net/ipv6/conf/${name}/disable_ipv6`;
        const lines = [
          ...['lan0', 'lan1', ...(link === 'true' || own.includes(':') ? [] : ['default'])].map(silent),
          ...(link === 'true'
            ? []
            : [
                `ip link add ${link}`,
                `ip address add ${own} dev x0 ${own.includes(':') ? 'nodad' : ''}`,
                'ip link set x0 up',
              ]),
          'ip neighbour replace 10.9.8.2 lladdr 02:00:00:00:00:02 dev lan0 nud permanent',
          `${neighbour} || true`,
          `exec 3< <(${capture} 2>&1)`,
          'until read -r line <&3 && [[ $line = *"listening on"* ]]; do :; done',
          commandLine(['send', remote.includes(':') ? `[${remote}]:9999` : `${remote}:9999`, 'hello', 'again']),
          'cat <&3 >&2',
        ];
        await using run = shellInNetwork(lines.join('\n'));
        const { stderr } = await run.outcome;
        expect(stderr).toContain('2 packets captured');
        const { datagrams, error, skipped } = await readAll(readFileSync(path));
        expect({ error, skipped }).toEqual({ error: undefined, skipped: {} });
        expect(datagrams.map(({ data, destination }) => [Buffer.from(data).toString(), destination.address])).toEqual([
          ['hello', remote],
          ['again', remote],
        ]);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
    ['tcpdump'],
  );
}
