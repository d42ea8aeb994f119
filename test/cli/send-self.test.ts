/** A check must not pass because the socket received its own request. */
import { describe, expect, test } from '@jest/globals';
import { shellInNetwork, startWithHosts, testInNamespaces } from '../support/namespaces.js';
import { closedPort, type Family } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { commandLine, type Outcome } from '../support/udpcat.js';

const ENGINES = ['node', 'linux'] as const;

function expectUsage({ status, stdout, stderr }: Outcome): void {
  expect(stderr).toMatch(/^udpcat: option '-b, --bind': cannot send to .*: the socket would hear itself; .*\n$/);
  expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: '' });
}

describe.each(ENGINES)('with the %s engine', (engine) => {
  describe('the same address as source and destination is a usage error:', () => {
    test.each<[source: string, destination: string, family: Family]>([
      ['127.0.0.1:P', '127.0.0.1:P', 4],
      ['P', '127.0.0.1:P', 4],
      ['P', 'P', 4],
      [':P', '127.0.0.1:P', 4],
      ['0.0.0.0:P', '127.0.0.1:P', 4],
      ['P', '127.0.0.2:P', 4],
      ['127.0.0.1:P', '[::ffff:127.0.0.1]:P', 4],
      ['[::ffff:127.0.0.1]:P', '127.0.0.1:P', 4],
      ['127.0.0.1:P', 'localhost:P', 4],
      ['localhost:P', '127.0.0.1:P', 4],
      ['P', 'localhost:P', 4],
      ['[::1]:P', '[::1]:P', 6],
      ['P', '[::1]:P', 6],
      ['[::]:P', '[::1]:P', 6],
    ])('-b %s to %s', async (source, destination, family) => {
      const port = String(await closedPort(family));
      const args = [destination.replace('P', port), 'ping', '-b', source.replace('P', port), '--engine', engine];
      expectUsage(await udpcat(['send', ...args]));
      expectUsage(await udpcat(['send', ...args, '--expect', 'ping', '--retry', '2', '--any-source', '-o', 'json']));
    });

    testInNamespaces('an address of an interface', async () => {
      for (const [address, source] of [
        ['10.9.8.1:5000', '5000'],
        ['10.9.8.1:5000', '10.9.8.1:5000'],
      ] as const) {
        const line = commandLine(['send', address, 'ping', '-b', source, '--engine', engine, '--expect', 'ping']);
        expectUsage(await shellInNetwork(line).outcome);
      }
    });
  });

  const CHECKS: readonly (readonly [title: string, ...args: readonly string[]])[] = [
    ['of IPv4', '127.0.0.1:40001'],
    ['of IPv6', '[::1]:40001'],
    ['of IPv4, mapped', '[::ffff:127.0.0.1]:40001'],
    ['by name', 'localhost:40001', '-4'],
    ['of an interface', '10.9.8.1:40001'],
    ['of any source', '127.0.0.1:40001', '--any-source'],
    ['with retries', '127.0.0.1:40001', '--retry', '1', '-w', '200ms'],
  ];
  for (const [title, ...args] of CHECKS) {
    testInNamespaces(
      `a check of a port that nobody has is refused, whichever the kernel chooses: ${title}`,
      async () => {
        const check = commandLine(['send', ...args, 'ping', '--expect', 'ping', '--engine', engine]);
        const line = `sysctl -qw net.ipv4.ip_local_port_range="40001 40002"
        for run in 1 2 3; do ${check} >/dev/null 2>&1; echo $?; done`;
        const { stdout } = await shellInNetwork(line).outcome;
        expect(stdout.toString()).toBe('4\n'.repeat(3));
      },
    );
  }

  testInNamespaces('without another free port the status is 1', async () => {
    const line = `sysctl -qw net.ipv4.ip_local_port_range="40001 40001"
      ${commandLine(['send', '127.0.0.1:40001', 'ping', '--expect', 'ping', '--engine', engine])}`;
    const { status, stderr } = await shellInNetwork(line).outcome;
    expect(stderr).toMatch(
      /^udpcat: cannot send to 127\.0\.0\.1:40001: the system has no local port but that one; .*\n$/,
    );
    expect(status).toBe(1);
  });
});

describe('a name', () => {
  testInNamespaces('of every interface is status 1', async () => {
    for (const hosts of ['0.0.0.0 blocked.test\n', ':: blocked.test\n', '0.0.0.0 blocked.test\n:: blocked.test\n']) {
      for (const options of [[], ['--deadline', '60s']]) {
        const { status, stderr } = await startWithHosts(hosts, ['send', 'blocked.test:9', 'x', ...options]).outcome;
        expect(stderr).toMatch(
          /^udpcat: cannot send to "blocked\.test:9": it resolves to (0\.0\.0\.0|::), which stands for every interface\n$/,
        );
        expect(status).toBe(1);
      }
    }
  });

  testInNamespaces('whose first address is the socket’s own goes on to the next', async () => {
    const port = await closedPort();
    const hosts = '127.0.0.1 twofold.test\n127.0.0.2 twofold.test\n';
    const args = ['send', `twofold.test:${port}`, 'ping', '-b', `127.0.0.1:${port}`, '--expect', 'ping'];
    const { status, stderr } = await startWithHosts(hosts, args).outcome;
    expect(stderr).toContain(`127.0.0.2:${port} refused`);
    expect(status).toBe(4);
  });
});
