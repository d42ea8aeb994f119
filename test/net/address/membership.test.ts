/** Groups and broadcasts with the library. test/cli/hosts.test.ts has the tests with the commands and several hosts. */
import { describe, expect, test } from '@jest/globals';
import { type Membership, parseMembership } from '../../../src/net/index.js';
import { formatMembership } from '../../../src/net/address/membership.js';
import { describeEngines } from '../../support/engines.js';
import { runInNetwork } from '../../support/module-in-network.js';
import { testInNamespaces } from '../../support/namespaces.js';
import { datagramError } from '../../support/net.js';

/** Makes a host with two links. Their other ends have no address. */
const NETWORK = `
ip link set lo up
for n in 0 1; do
  ip link add lan$n type veth peer name end$n
  ip link set end$n addrgenmode none up
  ip link set lan$n addrgenmode none up
  ip address add 10.9.$((8 + n)).1/24 brd + dev lan$n
  ip address add fd09:$((8 + n))::1/64 dev lan$n nodad
  ip address add fe80::1/64 dev lan$n nodad
done
`;

describe('parseMembership', () => {
  test.each<[string, Membership]>([
    ['239.1.2.3', { group: '239.1.2.3' }],
    ['224.0.0.251%eth0', { group: '224.0.0.251', interface: 'eth0' }],
    ['FF02:0::FB%br_lan', { group: 'ff02::fb', interface: 'br_lan' }],
    ['192.0.2.1@232.1.2.3', { group: '232.1.2.3', source: '192.0.2.1' }],
    ['fe80::1@ff32::1%eth0', { group: 'ff32::1', source: 'fe80::1', interface: 'eth0' }],
  ])('reads %s, and it is written so that it can be read again', (text, membership) => {
    const read = parseMembership(text);
    expect(read).toEqual(membership);
    expect(parseMembership(formatMembership(read))).toEqual(read);
  });

  test.each([
    ['192.0.2.1', /"192\.0\.2\.1" is not a multicast address/],
    ['223.255.255.255', /not a multicast address/],
    ['240.0.0.1', /not a multicast address/],
    ['', /"" is not a multicast address/],
    ['group', /not a multicast address/],
    ['[ff02::1]', /not a multicast address/],
    ['239.1.2.3:7000', /not a multicast address/],
    ['::ffff:239.1.2.3', /not a multicast address/],
    ['@239.1.2.3', /"" is not the IPv4 address of a host/],
    ['::1@239.1.2.3', /not the IPv4 address/],
    ['192.0.2.1@ff02::1', /not the IPv6 address/],
    ['0.0.0.0@239.1.2.3', /not the IPv4 address/],
    ['239.1.2.4@239.1.2.3', /not the IPv4 address/],
    ['fe80::1%eth0@ff02::1%eth0', /"fe80::1%eth0" is not the IPv6 address/],
  ])('refuses %j', (text, why) => {
    expect(() => parseMembership(text)).toThrow(why);
  });
});

describeEngines(({ engine, startUdpServer, openUdpConnection }) => {
  const inNetwork = <T>(body: string): Promise<T> => runInNetwork<T>(NETWORK, `const engine = '${engine}'; ${body}`);

  describe('a group that cannot be joined', () => {
    test.each<[string, readonly Membership[], string]>([
      ['*:0', [{ group: '127.0.0.1' }], '"127.0.0.1" is not a multicast address'],
      ['*:0', [{ group: '239.1.2.3', interface: 'nosuch0' }], 'no interface "nosuch0"'],
      ['*:0', [{ group: 'ff02::1' }, { group: 'FF02::1' }], 'it is given twice'],
      ['127.0.0.1:0', [{ group: '239.1.2.3' }], 'bound to 127.0.0.1 does not receive from it'],
      ['[::1]:0', [{ group: '239.1.2.3' }], 'the socket on ::1 is IPv6 only'],
    ])('on %s: %j is INVALID_OPTION', async (address, join, why) => {
      const error = await datagramError(startUdpServer(address, { join }));
      expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(why) as unknown });
    });

    test('by a client of another family is INVALID_OPTION as well', async () => {
      const error = await datagramError(openUdpConnection('127.0.0.1:9', { join: [{ group: 'ff02::1' }] }));
      expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining('IPv4 only') as unknown });
    });

    testInNamespaces('because no route says by which interface is OPEN_FAILED, and leaves nothing open', async () => {
      const body = `
        const join = [{ group: '239.1.2.3' }];
        const refused = await net.startUdpServer('*:7000', { engine, join }).catch(({ code, message }) => ({ code, message }));
        const server = await net.startUdpServer('*:7000', { engine });
        server.abort();
        return refused;
      `;
      expect(await inNetwork(body)).toEqual({
        code: 'OPEN_FAILED',
        message: expect.stringMatching(/^cannot join 239\.1\.2\.3: no route .*239\.1\.2\.3%lan\d$/) as unknown,
      });
    });
  });

  for (const [family, group, from, zone] of [
    [4, '239.1.2.3', '10.9.8.1', ''],
    [6, 'ff02::4242', 'fd09:8::1', '%lan0'],
  ] as const) {
    const [to, peer] = family === 4 ? [group, from] : [`[${group}${zone}]`, `[${from}]`];

    testInNamespaces(
      `a client hears in a group of IPv${family} its peer, and others where strays are wanted`,
      async () => {
        const body = `
        const join = [{ group: '${group}', interface: 'lan0' }];
        const peer = await net.startUdpServer('${peer}:0', { engine, multicastInterface: 'lan0' });
        const other = await net.startUdpServer('${peer}:0', { engine, multicastInterface: 'lan0' });
        const heard = {};
        for (const strays of ['ignore', 'report', 'receive']) {
          const client = await net.openUdpConnection(peer.local, { engine, join, strays });
          const reported = [];
          client.on('strays', (batch) => reported.push(...batch.map(({ data }) => data.toString())));
          const address = '${to}:' + client.local.port;
          await other.sendto('stray', address);
          await peer.sendto('own', address);
          const received = [(await client.recv()).toString()];
          if (strays === 'receive') received.push((await client.recv()).toString());
          await client.poll();
          heard[strays] = { received: received.sort(), reported };
          client.abort();
        }
        peer.abort();
        other.abort();
        return heard;
      `;
        expect(await inNetwork(body)).toEqual({
          ignore: { received: ['own'], reported: [] },
          report: { received: ['own'], reported: ['stray'] },
          receive: { received: ['own', 'stray'], reported: [] },
        });
      },
    );
  }

  testInNamespaces(
    engine === 'linux'
      ? 'a server on every interface broadcasts by the one it was told, for each family of its socket'
      : 'a server on every interface cannot broadcast by one of them, and says so; one on its address can',
    async () => {
      const body = `
        const options = { engine, broadcast: true, multicastInterface: 'lan1' };
        const hears = await net.startUdpServer('0.0.0.0:7000', { engine });
        const results = [];
        for (const address of ['*:0', '0.0.0.0:0', '10.9.9.1:0']) {
          const server = await net.startUdpServer(address, options);
          const failed = await server.sendto(address, '255.255.255.255:7000').then(() => undefined, ({ code }) => code);
          results.push(failed ?? (await hears.recvfrom()).remote.address);
          server.abort();
        }
        hears.abort();
        return results;
      `;
      const everywhere = engine === 'linux' ? '10.9.9.1' : 'UNSUPPORTED';
      expect(await inNetwork(body)).toEqual([everywhere, everywhere, '10.9.9.1']);
    },
  );
});
