/**
 * Tests on several hosts and links: groups, broadcasts, hop limits, zones, and addresses and links that come and go.
 */
import { describe, expect } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { testInNamespaces } from '../support/namespaces.js';
import { type HostName, Network } from '../support/network.js';
import { jsonLines } from '../support/service.js';
import { type Outcome, quote, type Running } from '../support/udpcat.js';

/**
 * Groups and hosts by family. `group` and `second` are link-local groups. `fromOne` is a group with a single source.
 */
const FAMILIES = {
  4: {
    group: '239.1.2.3',
    second: '239.1.2.4',
    fromOne: '232.1.2.3',
    everybody: '0.0.0.0',
    on: (link: 0 | 1 | 2, host: number) => `10.9.${link + 8}.${host}`,
    written: (address: string) => address,
  },
  6: {
    group: 'ff02::4242',
    second: 'ff02::4243',
    fromOne: 'ff32::4242',
    everybody: '[::]',
    on: (link: 0 | 1 | 2, host: number) => `fd09:${link + 8}::${host}`,
    written: (address: string) => `[${address}]`,
  },
} as const;

/** Returns the payloads that a server has received, a line each. */
async function heardBy(server: Running): Promise<string[]> {
  const { stdout, status, stderr } = await server.outcome;
  expect({ status, errors: stderr.replace(/^udpcat: listening on .*\n/, '') }).toEqual({ status: 0, errors: '' });
  return stdout.toString().split('\n').slice(0, -1);
}

const datagrams = ({ stdout }: Outcome) => jsonLines(stdout).filter(({ type }) => type === 'datagram');

for (const engine of ENGINE_NAMES) {
  const send = async (network: Network, host: HostName, ...args: readonly string[]): Promise<void> => {
    expect(await network.udpcat(host, ['send', ...args, '--engine', engine])).toMatchObject({ status: 0, stderr: '' });
  };
  const ask = (network: Network, host: HostName, address: string, ...args: readonly string[]): Promise<Outcome> =>
    network.udpcat(host, ['send', address, 'who?', '-o', 'json', '--engine', engine, ...args]);
  const serve = (network: Network, host: HostName, ...args: readonly string[]): Promise<Running> =>
    network.serve(host, ['serve', ...args, '--engine', engine]);

  describe.each([4, 6] as const)(`with the ${engine} engine, IPv%i`, (family) => {
    const { group, second, fromOne, everybody, on, written } = FAMILIES[family];
    const everywhere = `${everybody}:7000`;
    /** The destination for a group on the first link. */
    const at = (name: string, port = 7000): string => `${written(name)}:${port}`;

    testInNamespaces.concurrent('a group is heard by every host that has joined it, and by no other', async () => {
      await using network = await Network.open();
      const far = await serve(network, 'far', everywhere, '--join', `${group}%lan0`, '-c', '2');
      const other = await serve(network, 'other', '*:7000', '--join', `${group}%lan0`, '-c', '2');
      await send(network, 'near', at(second), 'to another group', '--interface', 'lan0');
      await send(network, 'near', at(group), 'to the group', '--interface', 'lan0');
      for (const host of [2, 3]) await send(network, 'near', `${written(on(0, host))}:7000`, 'the end');
      expect(await heardBy(far)).toEqual(['to the group', 'the end']);
      expect(await heardBy(other)).toEqual(['to the group', 'the end']);
    });

    const keptOut = engine === 'linux' ? 'is not heard by a server that has joined another' : 'is heard as well';
    testInNamespaces.concurrent(`a group that another server of the host has joined ${keptOut}`, async () => {
      await using network = await Network.open();
      const one = await serve(network, 'far', everywhere, '--join', `${group}%lan0`, '-c', '1');
      const another = await serve(network, 'far', `${everybody}:7001`, '--join', `${second}%lan0`, '-c', '1');
      await send(network, 'near', at(group, 7001), 'not for you', '--interface', 'lan0');
      for (const name of [group, second]) {
        for (const port of [7000, 7001]) await send(network, 'near', at(name, port), name, '--interface', 'lan0');
      }
      expect(await heardBy(one)).toEqual([group]);
      expect(await heardBy(another)).toEqual([engine === 'linux' ? second : 'not for you']);
    });

    testInNamespaces.concurrent(
      'several groups are heard on one socket, one of them from its source only',
      async () => {
        await using network = await Network.open();
        const joins = [group, second, `${on(0, 1)}@${fromOne}`].flatMap((name) => ['--join', name]);
        const far = await serve(network, 'far', '*:7000', ...joins, '--interface', 'lan0', '-c', '4', '-o', 'json');
        await send(network, 'other', at(fromOne), 'from another', '--interface', 'lan0', '--bind', on(0, 3));
        for (const name of [group, second, fromOne]) {
          await send(network, 'near', at(name), name, '--interface', 'lan0', '--bind', on(0, 1));
        }
        await send(network, 'other', `${written(on(0, 2))}:7000`, 'the end');
        const heard = datagrams(await far.outcome);
        expect(heard.map(({ data }) => data)).toEqual([group, second, fromOne, 'the end']);
        const to = (name: string): string => `${written(name.startsWith('ff') ? `${name}%lan0` : name)}:7000`;
        const known = [group, second, fromOne, on(0, 2)].map((name) => ({ to: to(name) }));
        if (engine === 'linux') expect(heard).toMatchObject(known);
        else expect(heard).toMatchObject(known.map(() => ({ local: '[::]:7000' })));
      },
    );

    testInNamespaces.concurrent(
      '--interface says by which link a question to a group leaves, and where one is joined',
      async () => {
        await using network = await Network.open();
        const first = await serve(network, 'far', '*:7000', '--join', group, '--interface', 'lan0', '-c', '1');
        const other = await serve(network, 'far', '*:7001', '--join', `${second}%lan1`, '-c', '1');
        for (const port of [7000, 7001]) {
          const by = port === 7000 ? ['lan1', 'lan0'] : ['lan0', 'lan1'];
          const name = port === 7000 ? group : second;
          for (const link of by) await send(network, 'near', at(name, port), `by ${link}`, '--interface', link);
        }
        expect(await heardBy(first)).toEqual(['by lan0']);
        expect(await heardBy(other)).toEqual(['by lan1']);
      },
    );

    testInNamespaces.concurrent('servers on one host that are bound to the group itself all hear it', async () => {
      await using network = await Network.open();
      const address = `${written(family === 4 ? group : `${group}%lan0`)}:7000`;
      const args = [address, '--join', `${group}%lan0`, '-c', '1'];
      const one = await serve(network, 'far', ...args);
      const another = await serve(network, 'far', ...args);
      await send(network, 'near', at(group), 'hello', '--interface', 'lan0');
      expect([await heardBy(one), await heardBy(another)]).toEqual([['hello'], ['hello']]);
    });

    testInNamespaces.concurrent(
      'send receives replies to a group that it has joined, and not its own datagrams',
      async () => {
        await using network = await Network.open();
        const answer = `
        const { createSocket } = require('node:dgram');
        const socket = createSocket('udp${family}');
        socket.on('message', () => socket.send('to all', 7001, '${group}'));
        socket.bind(7000, '${on(0, 2)}', () => {
          socket.setMulticastInterface('${family === 4 ? on(0, 2) : '::%lan0'}');
          console.log('ready');
        });`;
        const far = network.shell('far', `exec ${quote(process.execPath)} -e ${quote(answer)}`);
        await far.until('ready');
        const from = `${written(on(0, 2))}:7000`;
        const joined = ['--bind', '7001', '--join', `${group}%lan0`];
        const heard = await ask(network, 'near', from, ...joined, '-w', '1h');
        expect(heard).toMatchObject({ status: 0, stderr: '' });
        expect(datagrams(heard)).toMatchObject([{ from, data: 'to all' }]);
        expect(await ask(network, 'near', from, '--bind', '7001', '-w', '300ms')).toMatchObject({ status: 3 });
        const alone = [...joined, '--interface', 'lan0', '-w', '300ms'];
        const question = await ask(network, 'near', at(group, 7001), ...alone);
        expect(question.status).toBe(3);
        expect(datagrams(question)).toEqual([]);
      },
    );

    testInNamespaces.concurrent('--ttl 1 ends at the router, and --ttl 2 behind it', async () => {
      await using network = await Network.open();
      const beyond = await serve(network, 'beyond', everywhere, '-c', '1');
      const to = `${written(on(2, 4))}:7000`;
      // The router reports it, and the error can come before the end of the run.
      const { status } = await network.udpcat('near', ['send', to, 'ttl 1', '--ttl', '1', '--engine', engine]);
      expect([0, 4]).toContain(status);
      await send(network, 'near', to, 'ttl 2', '--ttl', '2');
      expect(await heardBy(beyond)).toEqual(['ttl 2']);
    });
  });

  describe(`with the ${engine} engine`, () => {
    testInNamespaces.concurrent('one socket hears groups of both families', async () => {
      await using network = await Network.open();
      const groups = [FAMILIES[4].group, FAMILIES[6].group];
      const joins = groups.flatMap((group) => ['--join', `${group}%lan0`]);
      const far = await serve(network, 'far', '*:7000', ...joins, '-c', '2');
      for (const to of ['239.1.2.3:7000', '[ff02::4242]:7000']) {
        await send(network, 'near', to, `to ${to}`, '--interface', 'lan0');
      }
      expect(await heardBy(far)).toEqual(['to 239.1.2.3:7000', 'to [ff02::4242]:7000']);
    });

    testInNamespaces.concurrent('--interface chooses the link of a broadcast, against the routes', async () => {
      await using network = await Network.open();
      await network.run('near', 'ip route add default via 10.9.8.2');
      const other = await serve(network, 'other', '0.0.0.0:7000', '-c', '3', '-o', 'json');
      const far = await serve(network, 'far', '0.0.0.0:7000', '-c', '6', '-o', 'json');
      const broadcast = (address: string, link: string, ...args: readonly string[]): Promise<void> =>
        send(network, 'near', `${address}:7000`, link, '--broadcast', '--interface', link, ...args);
      for (const link of ['lan1', 'lan0']) {
        await broadcast('255.255.255.255', link);
        await broadcast('255.255.255.255', link, '--bind', '7001');
      }
      await broadcast('10.9.9.255', 'lan1');
      await broadcast('10.9.8.255', 'lan0');
      const fromOne = [8, 8, 8].map((net) => ({
        data: 'lan0',
        from: expect.stringContaining(`10.9.${net}.1:`),
      }));
      expect(datagrams(await other.outcome)).toMatchObject(fromOne);
      expect(datagrams(await far.outcome).map(({ data, from }) => [data, String(from).replace(/:.*/, '')])).toEqual(
        [1, 1, 0, 0, 1, 0].map((link) => [`lan${link}`, `10.9.${link + 8}.1`]),
      );
    });

    testInNamespaces.concurrent('replies to a broadcast come from all hosts on the link of --interface', async () => {
      await using network = await Network.open();
      for (const host of ['far', 'other'] as const) {
        const reply = ['--reply', host, '--engine', engine];
        await network.serve(host, ['serve', '0.0.0.0:7000', ...reply, '--allow', '10.9.0.0/16', '-o', 'none']);
      }
      const answers = async (link: string) => {
        const args = ['--broadcast', '--interface', link, '-n', 'all', '-w', '3s'];
        const outcome = await ask(network, 'near', '255.255.255.255:7000', ...args);
        expect(outcome).toMatchObject({ status: 0, stderr: '' });
        return datagrams(outcome)
          .map(({ from, data }) => `${String(from)} ${String(data)}`)
          .sort();
      };
      expect(await Promise.all([answers('lan0'), answers('lan1')])).toEqual([
        ['10.9.8.2:7000 far', '10.9.8.3:7000 other'],
        ['10.9.9.2:7000 far'],
      ]);
    });

    testInNamespaces.concurrent(
      'a broadcast address of another link than --interface is refused in one line',
      async () => {
        await using network = await Network.open();
        const args = ['send', '10.9.8.255:7000', 'x', '--broadcast', '--interface', 'lan1', '--engine', engine];
        expect(await network.udpcat('near', args)).toMatchObject({
          status: 1,
          stderr:
            'udpcat: cannot send to 10.9.8.255 by the interface "lan1": it is the broadcast address of another interface\n',
        });
      },
    );

    testInNamespaces.concurrent(
      'requests to a link-local address, and their replies, use the link of its zone',
      async () => {
        await using network = await Network.open();
        // Each host has the same address on both links.
        const far = await network.serve('far', ['echo', '*:7000', '-o', 'json', '--engine', engine]);
        for (const link of ['lan0', 'lan1']) {
          const outcome = await ask(network, 'near', `[fe80::2%${link}]:7000`, '-w', '1h');
          expect(outcome.status).toBe(0);
          expect(datagrams(outcome)).toMatchObject([{ from: `[fe80::2%${link}]:7000`, data: 'who?' }]);
          const to = engine === 'linux' ? { to: `[fe80::2%${link}]:7000` } : { local: '[::]:7000' };
          const from: unknown = expect.stringContaining(`[fe80::1%${link}]:`);
          await far.until(`"from":"[fe80::1%${link}]:`);
          expect(JSON.parse((await far.until(RegExp(`.*"from":"\\[fe80::1%${link}.*`)))[0])).toMatchObject({
            from,
            ...to,
          });
        }
      },
    );

    const answers = engine === 'linux' ? 'answers from there' : 'answers from the one the system chooses, and says so';
    testInNamespaces.concurrent(`a server on every interface, asked at an address old or new, ${answers}`, async () => {
      await using network = await Network.open();
      await network.run('far', 'ip address add 10.9.8.22/24 dev lan0');
      const reply = ['--reply', 'here', '--rate-limit', '100/s', '--engine', engine];
      const serving = await network.serve('far', ['serve', '*:7000', ...reply]);
      const echoing = await network.serve('far', ['echo', '0.0.0.0:7001', ...reply.slice(2)]);
      await network.run('far', 'ip address add 10.9.8.33/24 dev lan0 && ip address add fd09:8::33/64 dev lan0 nodad');
      const ports = {
        7000: ['10.9.8.22', '10.9.8.33', '[fd09:8::33]', '[fd09:9::2]'],
        7001: ['10.9.8.22', '10.9.8.33'],
      };
      const asked = Object.entries(ports).flatMap(([port, addresses]) =>
        addresses.map((address) => ({ address, port })),
      );
      await Promise.all(
        asked.map(async ({ address, port }) => {
          const { status, stdout } = await ask(network, 'near', `${address}:${port}`, '-n', '1', '-w', '3s');
          if (engine === 'linux') expect({ address, status }).toEqual({ address, status: 0 });
          else if (address.startsWith('10.')) {
            const strays = jsonLines(stdout).filter(({ type }) => type === 'stray');
            expect({ address, status, strays }).toMatchObject({
              address,
              status: 6,
              strays: [{ from: `10.9.8.2:${port}` }],
            });
          }
        }),
      );
      for (const server of [serving, echoing]) {
        server.kill();
        const { status, stderr } = await server.outcome;
        expect(status).toBe(0);
        expect(stderr.includes('an answer may leave from another address than the request went to')).toBe(
          engine === 'node',
        );
      }
    });

    testInNamespaces.concurrent('a server that is bound to one address responds from it', async () => {
      await using network = await Network.open();
      await network.run('far', 'ip address add 10.9.8.22/24 dev lan0');
      await network.serve('far', ['echo', '10.9.8.22:7000', '--engine', engine]);
      expect(await ask(network, 'near', '10.9.8.22:7000', '-w', '1h')).toMatchObject({ status: 0 });
    });

    testInNamespaces.concurrent(
      'a link that goes down and comes back ends no server, and groups stay joined',
      async () => {
        await using network = await Network.open();
        const joins = ['--join', '239.1.2.3%lan0', '--join', 'ff02::4242%lan0', '--join', `10.9.8.1@232.1.2.3%lan0`];
        const options = ['--rate-limit', '100/s', '--engine', engine];
        const serving = await network.serve('far', ['serve', '*:7000', ...joins, ...options]);
        const echoing = await network.serve('far', ['echo', '[fd09:8::2]:7001', ...options]);
        const late = await network.serve('far', ['echo', '0.0.0.0:7002', '--delay', '5s', '-o', 'utf8', ...options]);
        await send(network, 'near', '10.9.8.2:7002', 'answered to nobody');
        await late.until('answered to nobody');
        await network.down('far', 'lan0');
        await late.until(/udpcat: warning: cannot send to 10\.9\.8\.1:\d+: the network is unreachable/, 'stderr');
        await network.up('far', 'lan0');
        for (const address of ['10.9.8.2:7002', '[fd09:8::2]:7001']) {
          const outcome = await ask(network, 'near', address, '-w', '1m', '--retry', '100');
          expect({ address, status: outcome.status }).toEqual({ address, status: 0 });
        }
        for (const address of ['10.9.8.2', '239.1.2.3', '232.1.2.3', '[ff02::4242]', '[fd09:8::2]']) {
          await send(network, 'near', `${address}:7000`, `to ${address} again`, '--interface', 'lan0');
          await serving.until(`to ${address} again\n`);
        }
        for (const server of [serving, echoing, late]) {
          server.kill();
          expect((await server.outcome).status).toBe(0);
        }
      },
    );
  });
}
