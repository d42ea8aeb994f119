/** A socket never receives its own datagrams. */
import { describe, expect, test } from '@jest/globals';
import { formatEndpoint, type Strays } from '../../../src/net/index.js';
import { describeEngines } from '../../support/engines.js';
import { runInNetwork } from '../../support/module-in-network.js';
import { testInNamespaces } from '../../support/namespaces.js';
import { datagramError } from '../../support/net.js';
import { closedPort, type Family } from '../../support/sockets.js';

const NETWORK = `
ip link set lo up
ip link add lan0 type veth peer name lan1
ip address add 10.9.8.1/24 brd + dev lan0
ip address add fd09:8::1/64 dev lan0 nodad
ip link set lan0 up
ip link set lan1 up
`;

const STRAYS: readonly Strays[] = ['ignore', 'report', 'receive'];

describeEngines(({ engine, openUdpConnection }) => {
  describe.each<[Family, local: string, remote: string]>([
    [4, '127.0.0.1', '127.0.0.1'],
    [4, '0.0.0.0', '127.0.0.1'],
    [4, '0.0.0.0', '127.0.0.2'],
    [4, '::ffff:127.0.0.1', '127.0.0.1'],
    [4, '127.0.0.1', '::ffff:127.0.0.1'],
    [4, '127.0.0.1', 'localhost'],
    [6, '::1', '::1'],
    [6, '::', '::1'],
  ])('on IPv%d, from %s to %s at the same port', (family, local, remote) => {
    test.each(STRAYS)('is INVALID_ADDRESS, with strays %j', async (strays) => {
      const port = await closedPort(family);
      const to = remote === 'localhost' ? `localhost:${port}` : formatEndpoint({ address: remote, port });
      const localAddress = local === '::' ? `*:${port}` : { address: local, port };
      const error = await datagramError(openUdpConnection(to, { strays, localAddress, family }));
      expect(error.code).toBe('INVALID_ADDRESS');
      expect(error.message).toMatch(/^cannot send to .* from .*: the socket would hear itself/);
      expect(error.message).toContain(`:${port} `);
    });
  });

  test('a name goes on to the next address, which is not the socket’s own', async () => {
    const port = await closedPort(4);
    const lookup = () => Promise.resolve([{ address: '127.0.0.1' }, { address: '127.0.0.2' }]);
    await using client = await openUdpConnection(`name.test:${port}`, { lookup, localAddress: `127.0.0.1:${port}` });
    expect(client.remote).toEqual({ address: '127.0.0.2', port });
  });

  const inNetwork = <T>(body: string): Promise<T> =>
    runInNetwork<T>(NETWORK, `const engine = '${engine}'; const { writeFileSync } = await import('node:fs'); ${body}`);

  testInNamespaces('a port that the kernel chooses is never the one that is sent to', async () => {
    const locals = await inNetwork<string[]>(`
      writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '40001 40004');
      const locals = [];
      for (const address of ['127.0.0.1', '127.0.0.2', '::1', '10.9.8.1', 'fd09:8::1']) {
        for (const strays of ['ignore', 'report', 'receive']) {
          for (let nth = 0; nth < 8; nth += 1) {
            const client = await net.openUdpConnection({ address, port: 40001 }, { engine, strays });
            const refused = once(client, 'peerError');
            await client.send('anybody?');
            await refused;
            await client.poll();
            locals.push(client.local.port + ' ' + client.queued);
            client.close();
            await client.waitClosed();
          }
        }
      }
      return [...new Set(locals)].sort();
    `);
    expect(locals).toEqual(['40002 0', '40003 0', '40004 0']);
  });

  testInNamespaces('where there is no other port, that is OPEN_FAILED and said', async () => {
    const errors = await inNetwork<{ code: string; message: string }[]>(`
      writeFileSync('/proc/sys/net/ipv4/ip_local_port_range', '40001 40001');
      const errors = [];
      for (const strays of ['ignore', 'report']) {
        await net.openUdpConnection('127.0.0.1:40001', { engine, strays })
          .catch(({ code, message }) => errors.push({ code, message }));
      }
      // The port is free again.
      const server = await net.startUdpServer('127.0.0.1:40001', { engine });
      server.abort();
      return errors;
    `);
    expect(errors).toHaveLength(2);
    for (const { code, message } of errors) {
      expect(code).toBe('OPEN_FAILED');
      expect(message).toContain('cannot send to 127.0.0.1:40001: the system has no local port but that one');
    }
  });

  testInNamespaces(
    'of a group or broadcast at its own port, others are heard, and the socket itself is not',
    async () => {
      const heard = await inNetwork<Record<string, string[]>>(`
      const heard = {};
      for (const [title, to, localAddress, options] of [
        ['group, from everywhere', '239.1.2.3', '*:7000', { join: [{ group: '239.1.2.3' }], multicastInterface: 'lan0' }],
        ['group, from itself', '239.1.2.3', '239.1.2.3:7000', { join: [{ group: '239.1.2.3' }], multicastInterface: 'lan0' }],
        ['broadcast, from everywhere', '10.9.8.255', '*:7000', { broadcast: true }],
        ['broadcast, from itself', '10.9.8.255', '10.9.8.255:7000', { broadcast: true }],
      ]) {
        const client = await net.openUdpConnection(
          { address: to, port: 7000 },
          { engine, localAddress, strays: 'receive', ...options },
        );
        const other = await net.startUdpServer('10.9.8.1:0', { engine, broadcast: true, multicastInterface: 'lan0' });
        await client.send('by itself');
        await other.sendto('by another', { address: to, port: 7000 });
        const all = [];
        while (all.at(-1) !== 'by another') {
          for (const { data } of (await client.batches().next()).value) all.push(String(data));
        }
        heard[title] = all;
        for (const socket of [client, other]) { socket.close(); await socket.waitClosed(); }
      }
      return heard;
    `);
      expect(heard).toEqual({
        'group, from everywhere': ['by another'],
        'group, from itself': ['by another'],
        'broadcast, from everywhere': ['by another'],
        'broadcast, from itself': ['by another'],
      });
    },
  );
});
