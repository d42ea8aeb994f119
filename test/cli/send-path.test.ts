/** ICMP errors of a router, as `send` tells them: which kind, with the limit of the path, and who reports it. */
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { ENGINE_NAMES } from '../support/engines.js';
import { namespacesArePossible, testInNamespaces } from '../support/namespaces.js';
import { Network } from '../support/network.js';
import { jsonLines } from '../support/service.js';
import type { Outcome } from '../support/udpcat.js';

/** The link behind the router carries 1300 bytes. Addresses of these networks are behind the router, too. */
const SETUP = [
  'ip -n far link set lan2 mtu 1300',
  'ip -n beyond link set lan2 mtu 1300',
  // The limit of ICMP errors by the mask counts those of all namespaces.
  'ip netns exec far sh -c "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit; echo 0 >/proc/sys/net/ipv4/icmp_ratemask; echo >/proc/sys/net/ipv6/icmp/ratemask"',
  'ip -n near route add 10.9.16.0/20 via 10.9.8.2',
  'ip -n near route add fd09:16::/32 via fd09:8::2',
  'ip -n far route add prohibit 10.9.17.0/24',
  'ip -n far route add prohibit fd09:16:17::/48',
  'ip -n far route add unreachable 10.9.18.0/24',
  'ip -n far route add unreachable fd09:16:18::/48',
].join(' && ');

/** Addresses by family. `behind` has a number of its own for each test: the kernel remembers the limit of a path. */
const FAMILIES = {
  4: {
    router: '10.9.8.2',
    behind: (host: number) => `10.9.10.${host}:7000`,
    prohibited: '10.9.17.1:7000',
    unreachable: '10.9.18.1:7000',
    noRoute: '10.9.19.1:7000',
    payload: 1272,
    says: {
      unreachable: 'the host is unreachable (EHOSTUNREACH)',
      noRoute: 'its network is unreachable (ENETUNREACH)',
      ttl: 'the time to live ran out on the way (EHOSTUNREACH)',
      prohibited: 'it is administratively prohibited (EHOSTUNREACH)',
    },
  },
  6: {
    router: 'fd09:8::2',
    behind: (host: number) => `[fd09:10::${host}]:7000`,
    prohibited: '[fd09:16:17::1]:7000',
    unreachable: '[fd09:16:18::1]:7000',
    noRoute: '[fd09:16:19::1]:7000',
    payload: 1252,
    says: {
      unreachable: 'there is no route to it (ENETUNREACH)',
      noRoute: 'there is no route to it (ENETUNREACH)',
      ttl: 'the hop limit ran out on the way (EHOSTUNREACH)',
      prohibited: 'it is administratively prohibited (EACCES)',
    },
  },
} as const;

let network: Network;
beforeAll(async () => {
  if (!namespacesArePossible) return;
  network = await Network.open();
  await network.run('near', SETUP);
});
afterAll(async () => {
  if (namespacesArePossible) await network[Symbol.asyncDispose]();
});

const send = (...args: readonly string[]): Promise<Outcome> => network.udpcat('near', ['send', ...args]);

/** The router's answer comes at once, and is read at the end of the wait at the latest. */
const WAIT = ['-w', '300ms'];

let host = 100;

for (const engine of ENGINE_NAMES) {
  describe.each([4, 6] as const)(`with the ${engine} engine, IPv%i`, (family) => {
    const { router, behind, prohibited, unreachable, noRoute, payload, says } = FAMILIES[family];
    const by = engine === 'linux' ? `, as ${router} reports` : '';
    const tooBig = `was too big for the path, which carries 1300 bytes (${payload} of payload)${by}`;
    const on = ['--engine', engine];

    testInNamespaces(
      'a datagram that is too big for the path is told with the limit, whatever the output',
      async () => {
        for (const [args, told] of [
          [[], (stderr: string) => stderr],
          [['--exit-code', 'nagios'], (_: string, stdout: string) => stdout],
        ] as const) {
          const to = behind((host += 1));
          const { status, stdout, stderr } = await send(to, '--size', '1400', ...WAIT, ...on, ...args);
          const says = `${to} did not answer within 300ms: a datagram ${tooBig}`;
          expect(told(stderr, stdout.toString())).toBe(
            args.length === 0 ? `udpcat: ${says}\n` : `UDPCAT CRITICAL - ${says} | rtt=U;;;0\n`,
          );
          expect(status).toBe(args.length === 0 ? 3 : 2);
        }
      },
    );

    testInNamespaces('its JSON has the limit of the path, and the router if it is known', async () => {
      const to = behind((host += 1));
      const lines = jsonLines((await send(to, '--size', '1400', ...WAIT, ...on, '-o', 'json')).stdout);
      const known = engine === 'linux' ? { reporter: router, mtu: 1300 } : {};
      expect(lines.find(({ type }) => type === 'error')).toMatchObject({ code: 'TOO_LARGE', peer: to, ...known });
      expect(lines.find(({ type }) => type === 'verdict')).toMatchObject({ verdict: 'silent', pathMtu: 1300 });
    });

    testInNamespaces('without a wait, it is a warning', async () => {
      const to = behind((host += 1));
      // The error is there before the second datagram is sent.
      expect(await send(to, '--size', '1400', '--count', '2', '--interval', '100ms', ...on)).toMatchObject({
        status: 0,
        stderr: `udpcat: warning: a datagram to ${to} ${tooBig}\n`,
      });
    });

    testInNamespaces('sent again, it arrives in fragments', async () => {
      await using server = await network.serve('beyond', ['echo', `${family === 4 ? '0.0.0.0' : '[::]'}:7000`]);
      const to = behind(4);
      expect(await send(to, '--size', '1400', '-w', '60s', '--retry', '60', '-o', 'none', ...on)).toMatchObject({
        status: 0,
        stderr: '',
      });
      server.kill('SIGTERM');
      expect((await server.outcome).status).toBe(0);
    });

    testInNamespaces('a router that prohibits the traffic refuses', async () => {
      expect(await send(prohibited, 'x', '-w', '60s', ...on)).toMatchObject({
        status: 4,
        stderr: `udpcat: ${prohibited} refused: ${says.prohibited}${by}\n`,
      });
    });

    if (engine === 'node') return;

    testInNamespaces('an unreachable host or network, and an end of the hops, are told with the router', async () => {
      for (const [to, why, ...args] of [
        [unreachable, says.unreachable],
        [noRoute, says.noRoute],
        [behind(4), says.ttl, '--ttl', '1'],
      ] as const) {
        expect(await send(to, 'x', '-w', '60s', ...on, ...args)).toMatchObject({
          status: 4,
          stderr: `udpcat: ${to} cannot be reached: ${why}${by}\n`,
        });
      }
    });

    testInNamespaces('a later datagram that must not be fragmented is refused with the limit', async () => {
      const to = behind((host += 1));
      const args = [to, '--dont-fragment', ...on];
      expect((await send(...args, '--size', '1400', ...WAIT)).status).toBe(3);
      expect(await send(...args, '--size', '1400')).toMatchObject({
        status: 1,
        stderr: `udpcat: cannot send 1400 bytes to ${to}: the path or the interface carries 1300 bytes (${payload} of payload)\n`,
      });
      expect((await send(...args, '--size', `${payload}`)).status).toBe(0);
    });

    testInNamespaces('a neighbour that is not there is told as unreachable, as this host reports', async () => {
      const to = family === 4 ? '10.9.8.77:7000' : '[fd09:8::77]:7000';
      expect(await send(to, 'x', '-w', '60s', ...on)).toMatchObject({
        status: 4,
        stderr: `udpcat: ${to} cannot be reached: the host is unreachable (EHOSTUNREACH), as this host reports\n`,
      });
    });
  });
}
