/**
 * Tests of groups and interfaces as a person writes them, each with both engines: zones, missing interfaces and routes, loopback
 * sources, servers that are bound to a group, and shared ports.
 */
import { describe, expect } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { testInNamespaces } from '../support/namespaces.js';
import { Network } from '../support/network.js';
import { jsonLines } from '../support/service.js';

describe.each(ENGINE_NAMES)('with the %s engine', (engine) => {
  testInNamespaces.concurrent(
    'a group wider than one link leaves by the interface of its zone, and is joined there',
    async () => {
      await using network = await Network.open();
      for (const link of ['lan0', 'lan1']) {
        const group = `[ff05::4242%${link}]:7000`;
        const server = await network.serve('far', ['serve', group, '-c', '1', '-o', 'json', '--engine', engine]);
        for (const by of link === 'lan0' ? ['lan1', 'lan0'] : ['lan0', 'lan1']) {
          const args = ['send', `[ff05::4242%${by}]:7000`, by, '--engine', engine];
          expect(await network.udpcat('near', args)).toMatchObject({ status: 0, stderr: '' });
        }
        const { status, stdout } = await server.outcome;
        expect(status).toBe(0);
        expect(jsonLines(stdout)).toMatchObject([
          { type: 'listening', joined: [`ff05::4242%${link}`] },
          { type: 'datagram', data: link },
          { type: 'summary' },
        ]);
      }
    },
  );

  testInNamespaces.concurrent(
    'a server that is bound to a group hears it, and -v tells on which interface',
    async () => {
      await using network = await Network.open();
      await network.run('far', 'ip route add 239.0.0.0/8 dev lan1');
      const cases = [
        { bind: '239.1.2.3:7000', args: [], joined: '239.1.2.3%lan1', by: 'lan1' },
        { bind: '239.1.2.3:7001', args: ['--interface', 'lan0'], joined: '239.1.2.3%lan0', by: 'lan0' },
        { bind: '[ff02::4242]:7002', args: ['--interface', 'lan1'], joined: 'ff02::4242%lan1', by: 'lan1' },
        { bind: '[ff02::4242%lan0]:7003', args: [], joined: 'ff02::4242%lan0', by: 'lan0' },
        { bind: '239.1.2.3:7004', args: ['--join', '239.1.2.3%lan0'], joined: '239.1.2.3%lan0', by: 'lan0' },
      ];
      for (const command of ['serve', 'echo']) {
        for (const { bind, args, joined, by } of cases) {
          const options = [...args, '-o', 'json', '-v', '-c', '1', '--engine', engine];
          const server = await network.serve('far', [command, bind, ...options]);
          const to = bind.replace(/%.*\]/, ']');
          await network.udpcat('near', ['send', to, 'hello', '--interface', by, '--engine', engine]);
          const { status, stdout, stderr } = await server.outcome;
          expect({ bind, status }).toEqual({ bind, status: 0 });
          expect(stderr).toContain(`joined ${joined}\n`);
          const [bare = ''] = joined.split('%');
          const address = bare.startsWith('ff') ? `[${joined}]` : bare;
          expect(jsonLines(stdout)).toMatchObject([
            { type: 'listening', address: bind.replace(/^.*(?=:\d+$)/, address), joined: [joined] },
            { type: 'datagram', data: 'hello' },
            { type: 'summary' },
          ]);
        }
      }
    },
  );

  testInNamespaces.concurrent('each refusal of a group or a source names the remedy', async () => {
    await using network = await Network.open();
    await network.run('near', 'ip -6 route add default via fd09:8::2');
    const needsInterface = 'a link-local group needs its interface; write [ff02::1%';
    const cases = [
      { args: ['send', '[ff02::1]:5355', 'x'], status: 2, says: needsInterface },
      { args: ['serve', '[ff02::1]:5355'], status: 2, says: needsInterface },
      { args: ['send', '239.1.2.3:7000', 'x'], status: 1, says: 'name the interface by which it leaves: --interface ' },
      {
        args: ['send', '255.255.255.255:7000', 'x', '--broadcast'],
        status: 1,
        says: 'name the interface by which it leaves: --interface ',
      },
      { args: ['serve', '239.1.2.3:7000'], status: 1, says: ', or --interface ' },
      {
        args: ['send', '[ff05::2%lan0]:7000', 'x', '--interface', 'lan1'],
        status: 2,
        says: 'two interfaces: "lan0" in "[ff05::2%lan0]:7000", and "lan1" by option \'--interface\'; give one of them',
      },
      ...[
        ['10.9.8.2:7000', '127.0.0.1'],
        ['[fd09:8::2]:7000', '::1'],
        ['[2001:db8::1]:7000', '::1'],
        ['[ff05::2%lan0]:7000', '::1'],
        ['10.9.8.2:7000', 'localhost'],
      ].map(([to = '', source = '']) => ({
        args: ['send', to, 'x', '-b', source],
        status: 2,
        says: 'a loopback address reaches only this host; choose another local address, or none',
      })),
      { args: ['send', '[::1]:7000', 'x', '-b', '::1:5000'], status: 2, says: 'write [::1]:5000;' },
      {
        args: ['serve', '127.0.0.1:7000', '--reuse-address'],
        status: 2,
        says: 'of several sockets on 127.0.0.1:7000, only the one bound last would get the datagrams; leave it out',
      },
      { args: ['serve', '239.1.2.3:0', '--reuse-address'], status: 2, says: 'name the port' },
    ];
    for (const { args, status, says } of cases) {
      const outcome = await network.udpcat('near', [...args, '--engine', engine]);
      expect({ args, ...outcome }).toMatchObject({ status, stderr: expect.stringContaining(says) as unknown });
      expect(outcome.stderr.split('\n')).toHaveLength(2);
    }
  });

  testInNamespaces.concurrent('a loopback source reaches the addresses of this host', async () => {
    await using network = await Network.open();
    for (const [at, source] of [
      ['10.9.8.1:7000', '127.0.0.1'],
      ['[fd09:8::1]:7000', '::1'],
    ] as const) {
      await using server = await network.serve('near', ['echo', at, '--engine', engine]);
      const args = ['send', at, 'x', '-b', source, '-w', '1h', '--engine', engine];
      expect(await network.udpcat('near', args)).toMatchObject({ status: 0 });
      server.kill();
    }
  });

  testInNamespaces.concurrent('--reuse-address shares a port for groups and broadcasts', async () => {
    await using network = await Network.open();
    const servers = [];
    for (let nth = 0; nth < 2; nth += 1) {
      const args = ['serve', '0.0.0.0:7000', '--reuse-address', '--join', '239.1.2.3%lan0', '-c', '2'];
      servers.push(await network.serve('far', [...args, '--engine', engine]));
    }
    const alone = await network.udpcat('far', ['serve', '0.0.0.0:7000', '--engine', engine]);
    expect(alone).toMatchObject({ status: 1, stderr: expect.stringContaining('the port is in use') as unknown });
    const source = ['--interface', 'lan0', '--engine', engine];
    await network.udpcat('near', ['send', '239.1.2.3:7000', 'to the group', ...source]);
    await network.udpcat('near', ['send', '10.9.8.255:7000', 'to all', '--broadcast', ...source]);
    for (const server of servers) {
      const { status, stdout } = await server.outcome;
      expect({ status, heard: stdout.toString() }).toEqual({ status: 0, heard: 'to the group\nto all\n' });
    }
  });
});
