/** ICMP errors of a router, and interfaces of any name, in network namespaces. The loopback has neither. */
import { describe, expect } from '@jest/globals';
import type { EngineName } from '../../src/net/index.js';
import { describeEngines, describeLinuxEngine } from '../support/engines.js';
import { runInNetwork } from '../support/module-in-network.js';
import { testInNamespaces } from '../support/namespaces.js';

/** Makes a host and a router. Networks behind it are prohibited by the router or the host, or carry 1280 bytes only. */
const NETWORK = `
ip netns add router
ip link set lo up
ip link add v0 type veth peer name v1 netns router
ip address add 198.18.0.1/24 dev v0
ip address add fd01::1/64 dev v0 nodad
ip link add br_lan type veth peer name br_lan_end
ip link set br_lan addrgenmode none
ip address add fe80::1/64 dev br_lan nodad
ip link set br_lan_end up
ip link set br_lan up
ip link set v0 up
ip -n router link add narrow mtu 1280 type veth peer name narrow_end
ip -n router link set narrow_end up
ip -n router address add 198.18.0.2/24 dev v1
ip -n router address add fd01::2/64 dev v1 nodad
ip -n router link set v1 up
ip -n router link set narrow up
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
ip route add default via 198.18.0.2
ip route add default via fd01::2
ip -n router route add prohibit 198.51.100.0/24
ip -n router route add prohibit 2001:db8:1::/48
ip -n router route add 203.0.113.0/24 dev narrow
ip -n router route add 2001:db8:2::/48 dev narrow
ip route add prohibit 192.0.2.0/24
ip -n router route add unreachable 198.51.101.0/24
ip -n router route add unreachable 2001:db8:3::/48
ip address add 198.18.0.3/24 dev v0
ip address add fd01::3/64 dev v0 nodad
ip address add fe80::3/64 dev br_lan nodad
ip netns exec router '${process.execPath}' -e "
  const socket = require('dgram').createSocket({ type: 'udp4', recvBufferSize: 4_000_000 }).bind(7);
  socket.on('message', (data, { port, address }) => socket.send(data, port, address));" &
`;

const inNetwork = <T>(engine: EngineName, body: string): Promise<T> =>
  runInNetwork<T>(NETWORK, `const engine = '${engine}'; ${body}`);

/** Sends until an ICMP error was reported, then three more datagrams. Returns how many sends failed, and the error. */
const sendUntilError = (address: string, bytes: number): string => `
  const client = await net.openUdpConnection('${address}', { engine });
  const reported = once(client, 'peerError');
  const seen = [];
  client.on('peerError', (error) => seen.push(error));
  const sent = [];
  for (let nth = 0; seen.length === 0 && nth < 100; nth += 1) {
    sent.push(...await client.sendBatch([Buffer.alloc(nth === 0 ? ${bytes} : 1)]));
    // Half of the time wait for the event, half of the time let the next send meet the pending error.
    for (let turn = 0; turn < 20 && seen.length === 0 && nth % 2 === 0; turn += 1) await client.poll();
  }
  const [error] = await reported;
  for (let nth = 0; nth < 3; nth += 1) sent.push(...await client.sendBatch([Buffer.alloc(1)]));
  const waiting = client.recv();
  client.close();
  return { failures: sent.length, code: error.code, cause: error.cause.code, peer: error.peer, message: error.message,
    end: await waiting.catch(({ code }) => code) };
`;

describeEngines(({ engine }) => {
  describe('a client behind a router', () => {
    for (const [family, address, port, cause] of [
      [4, '198.51.100.1', 9, 'EHOSTUNREACH'],
      [6, '2001:db8:1::1', 9, 'EACCES'],
    ] as const) {
      const written = family === 4 ? `${address}:${port}` : `[${address}]:${port}`;

      testInNamespaces(
        `reports what the router prohibits as a refusal of IPv${family}, and fails no send`,
        async () => {
          expect(await inNetwork(engine, sendUntilError(written, 1))).toMatchObject({
            failures: 0,
            code: 'REFUSED',
            cause,
            peer: { address, port },
            end: 'CLOSED',
          });
        },
      );
    }

    for (const [family, address, router, payload] of [
      [4, '203.0.113.1:9', '198.18.0.2', 1252],
      [6, '[2001:db8:2::1]:9', 'fd01::2', 1232],
    ] as const) {
      testInNamespaces(
        `reports a datagram too large for the path of IPv${family} as an event, and fails no other`,
        async () => {
          expect(await inNetwork(engine, sendUntilError(address, 1400))).toMatchObject({
            failures: 0,
            code: 'TOO_LARGE',
            cause: 'EMSGSIZE',
            message:
              `a datagram to ${address} was too big for the path` +
              (engine === 'node' ? '' : `, which carries 1280 bytes (${payload} of payload), as ${router} reports`),
            end: 'CLOSED',
          });
        },
      );
    }

    testInNamespaces(
      'says that permission is denied, and nothing of broadcast, for a net the host prohibits',
      async () => {
        const body = `return net.openUdpConnection('192.0.2.1:9', { engine }).catch(({ code, message }) => ({ code, message }));`;
        expect(await inNetwork(engine, body)).toEqual({
          code: 'OPEN_FAILED',
          message: 'cannot send to 192.0.2.1:9: permission denied (EACCES)',
        });
      },
    );

    testInNamespaces('talks through an interface with an underscore in its name', async () => {
      const body = `
      await using server = await net.startUdpServer('[fe80::1%br_lan]:0', { engine });
      await using client = await net.openUdpConnection(net.formatEndpoint(server.local), { engine });
      await client.send('hello');
      const { data, remote } = await server.recvfrom();
      return { text: data.toString(), remote: remote.address };
    `.replaceAll('await using', 'const');
      const ended = body.replace('return {', 'server.abort(); client.abort(); return {');
      expect(await inNetwork(engine, ended)).toEqual({ text: 'hello', remote: 'fe80::1%br_lan' });
    });
  });
});

/** Sends to each of these addresses from a server, until an ICMP error was reported. Returns the errors. */
const errorsOf = (addresses: readonly string[], options = ''): string => `
  const server = await net.startUdpServer('*:0', { engine, ${options} });
  const errors = [];
  server.on('peerError', (error) => errors.push(error));
  const found = [];
  for (const address of ${JSON.stringify(addresses)}) {
    const isOfIt = ({ peer }) => net.formatEndpoint(peer) === address;
    // A router limits its rate of ICMP errors, so this sends again until one comes.
    for (let turn = 0; !errors.some(isOfIt); turn += 1) {
      if (turn % 100 === 0) await server.sendto('x', address);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    found.push(errors.find(isOfIt));
  }
  server.abort();
  return found.map(({ code, peer, icmp, message }) => ({ code, peer: net.formatEndpoint(peer), icmp, message }));
`;

describeLinuxEngine('the linux engine behind a router', () => {
  testInNamespaces('tells apart by peer what refuses and what cannot be reached, and who reports it', async () => {
    const addresses = [
      ...['198.51.100.1:9', '198.51.101.1:9', '100.64.0.1:9', '198.18.0.2:9'],
      ...['[2001:db8:1::1]:9', '[2001:db8:3::1]:9', '[fd01::2]:9'],
    ];
    const errors = await inNetwork<{ code: string; icmp: object; peer: string; message: string }[]>(
      'linux',
      errorsOf(addresses),
    );
    expect(errors.map(({ peer }) => peer)).toEqual(addresses);
    const by = { family: 4, reporter: '198.18.0.2' };
    const by6 = { family: 6, reporter: 'fd01::2' };
    expect(errors.map(({ code, icmp }) => [code, icmp])).toEqual([
      ['REFUSED', { ...by, type: 3, code: 13 }],
      ['UNREACHABLE', { ...by, type: 3, code: 1 }],
      ['UNREACHABLE', { ...by, type: 3, code: 0 }],
      ['REFUSED', { ...by, type: 3, code: 3 }],
      ['REFUSED', { ...by6, type: 1, code: 1 }],
      ['UNREACHABLE', { ...by6, type: 1, code: 0 }],
      ['REFUSED', { ...by6, type: 1, code: 4 }],
    ]);
    expect(errors.map(({ message }) => message).slice(0, 4)).toEqual([
      '198.51.100.1:9 refused: it is administratively prohibited (EHOSTUNREACH), as 198.18.0.2 reports',
      '198.51.101.1:9 cannot be reached: the host is unreachable (EHOSTUNREACH), as 198.18.0.2 reports',
      '100.64.0.1:9 cannot be reached: its network is unreachable (ENETUNREACH), as 198.18.0.2 reports',
      '198.18.0.2:9 refused: nobody listens there (ECONNREFUSED)',
    ]);
  });

  testInNamespaces('sets the time to live of both families on one socket, which is over at the router', async () => {
    const errors = await inNetwork<{ code: string; icmp: object }[]>(
      'linux',
      errorsOf(['203.0.113.1:9', '[2001:db8:2::1]:9'], 'ttl: 1'),
    );
    expect(errors).toMatchObject([
      { code: 'UNREACHABLE', icmp: { family: 4, type: 11, code: 0, reporter: '198.18.0.2' } },
      { code: 'UNREACHABLE', icmp: { family: 6, type: 3, code: 0, reporter: 'fd01::2' } },
    ]);
  });

  testInNamespaces('hears such errors for a client that hears strangers as well', async () => {
    const body = `
      const client = await net.openUdpConnection('198.51.101.1:9', { engine, strays: 'receive' });
      const reported = once(client, 'peerError');
      await client.send('x');
      const [{ code, peer }] = await reported;
      client.abort();
      return { code, peer, local: client.local.address };
    `;
    expect(await inNetwork('linux', body)).toEqual({
      code: 'UNREACHABLE',
      peer: { address: '198.51.101.1', port: 9 },
      local: '198.18.0.1',
    });
  });

  testInNamespaces(
    'fragments nothing when told not to: the limit of the path is learnt, and then kept here',
    async () => {
      const body = `
      const client = await net.openUdpConnection('203.0.113.1:9', { engine, dontFragment: true });
      const reported = once(client, 'peerError');
      await client.send(Buffer.alloc(1400));
      const [{ code, icmp }] = await reported;
      const failures = await client.sendBatch([Buffer.alloc(1252), Buffer.alloc(1253), Buffer.alloc(10)]);
      client.abort();
      return { code, mtu: icmp.mtu, failures: failures.map(({ index, error }) => [index, error.code, error.message]) };
    `;
      expect(await inNetwork('linux', body)).toEqual({
        code: 'TOO_LARGE',
        mtu: 1280,
        failures: [
          [
            1,
            'TOO_LARGE',
            'cannot send 1253 bytes to 203.0.113.1:9: the path or the interface carries 1280 bytes (1252 of payload)',
          ],
        ],
      });
    },
  );

  testInNamespaces(
    'sends runs of one size whatever the MTU: each datagram arrives once, whole and in order',
    async () => {
      const body = `
      const client = await net.openUdpConnection('198.18.0.2:7', { engine, maxReadQueue: 10_000 });
      let answer;
      const receiving = client.recv().then((data) => (answer = data));
      while (answer === undefined) { await client.send('are you there?'); await new Promise((resolve) => setTimeout(resolve, 10)); }
      const sizes = [64, 1472, 1473, 2000, 100, 9000, 1400];
      const sent = sizes.flatMap((size) => Array.from({ length: 30 }, (_, nth) => Buffer.alloc(size, nth)));
      for (let from = 0; from < sent.length; from += 30) {
        const failures = await client.sendBatch(sent.slice(from, from + 30));
        if (failures.length > 0) throw failures[0].error;
        for (let nth = 0; nth < 30; ) {
          const data = await client.recv();
          if (data.toString() === 'are you there?') continue;
          if (!sent[from + nth].equals(data)) throw new Error(\`\${data.length} bytes of \${data[0]} came as number \${from + nth}\`);
          nth += 1;
        }
      }
      client.abort();
      return 'all came';
    `;
      expect(await inNetwork('linux', body)).toBe('all came');
    },
  );

  testInNamespaces(
    'knows on a wildcard bind which address was asked, and answers from there, in both families',
    async () => {
      const body = `
      const asked = [];
      const hosts = [
        ['198.18.0.1', '198.18.0.3'], ['198.18.0.3', '198.18.0.1'], ['127.0.0.1', '127.0.0.2'],
        ['fd01::1', 'fd01::3'], ['fd01::3', 'fd01::1'], ['fe80::1%br_lan', 'fe80::3%br_lan'],
      ];
      for (const bound of ['*:0', '0.0.0.0:0']) {
        const server = await net.startUdpServer(bound, { engine });
        for (const [from, to] of bound === '*:0' ? hosts : hosts.slice(0, 3)) {
          const client = await net.openUdpConnection({ address: to, port: server.local.port }, { engine, localAddress: { address: from, port: 0 } });
          await client.send('question');
          const { remote, local } = await server.recvfrom();
          await server.sendto('answer one', remote, { local });
          await server.sendBatch([{ data: Buffer.from('answer two'), remote, local }]);
          asked.push([remote.address, local.address, local.port === server.local.port, String(await client.recv()), String(await client.recv())].join(' '));
          client.abort();
        }
        server.abort();
      }
      return asked;
    `;
      const pairs = [
        ['198.18.0.1', '198.18.0.3'],
        ['198.18.0.3', '198.18.0.1'],
        ['127.0.0.1', '127.0.0.2'],
        ['fd01::1', 'fd01::3'],
        ['fd01::3', 'fd01::1'],
        ['fe80::1%br_lan', 'fe80::3%br_lan'],
      ];
      expect(await inNetwork('linux', body)).toEqual(
        [...pairs, ...pairs.slice(0, 3)].map(([from, to]) => `${from} ${to} true answer one answer two`),
      );
    },
  );

  testInNamespaces(
    'answers what was asked at a broadcast or multicast address from an address of its own',
    async () => {
      const body = `
      const server = await net.startUdpServer('0.0.0.0:0', { engine });
      const options = { engine, broadcast: true, strays: 'receive', localAddress: '198.18.0.3:0' };
      const client = await net.openUdpConnection({ address: '198.18.0.255', port: server.local.port }, options);
      await client.send('who is there?');
      const { remote, local } = await server.recvfrom();
      const alone = await server.sendBatch([{ data: Buffer.from('one'), remote, local }]);
      const several = await server.sendBatch(['two', 'six'].map((text) => ({ data: Buffer.from(text), remote, local })));
      const group = await server.sendBatch([{ data: Buffer.from('ten'), remote, local: { address: '239.1.2.3', port: 1 } }]);
      const answers = [];
      while (answers.length < 4) for (const { data } of (await client.batches().next()).value) answers.push(String(data));
      server.abort();
      client.abort();
      return { asked: local.address, failures: [alone, several, group].flat().length, answers };
    `;
      expect(await inNetwork('linux', body)).toEqual({
        asked: '198.18.0.255',
        failures: 0,
        answers: ['one', 'two', 'six', 'ten'],
      });
    },
  );

  testInNamespaces(
    'marks what it sends with the DSCP asked for, in both families',
    async () => {
      const body = `
      const { spawn } = await import('node:child_process');
      const dump = spawn('tcpdump', ['-n', '-v', '-l', '-c', '2', '-i', 'lo', 'udp']);
      let said = '';
      dump.stdout.on('data', (data) => (said += data));
      await new Promise((resolve) => dump.stderr.on('data', (data) => String(data).includes('listening') && resolve()));
      const server = await net.startUdpServer('*:0', { engine, dscp: 46 });
      for (const address of ['127.0.0.1', '::1']) await server.sendto('x', { address, port: 9 });
      await once(dump, 'close');
      server.abort();
      return said;
    `;
      expect(await inNetwork<string>('linux', body)).toMatch(/tos 0xb8[^]*class 0xb8/);
    },
    ['tcpdump'],
  );
});
