import { describe, expect, test } from '@jest/globals';
import { startWithHosts, testInNamespaces } from '../support/namespaces.js';
import { closedPort, echoServer, type Family, hostAndPort, silentServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { type Outcome } from '../support/udpcat.js';

/** The events of `-o json`, by type. */
function eventsOf({ stdout }: Outcome): Record<string, Record<string, unknown>> {
  const lines = stdout.toString().trimEnd().split('\n');
  return Object.fromEntries(
    lines.map((line) => JSON.parse(line) as Record<string, unknown>).map((event) => [event.type as string, event]),
  );
}

describe('send reaches', () => {
  const forms: readonly [title: string, family: Family, args: (port: number) => readonly string[]][] = [
    ['an IPv4 address', 4, (port) => [`127.0.0.1:${port}`]],
    ['an IPv6 address in brackets', 6, (port) => [`[::1]:${port}`]],
    ['a name', 4, (port) => ['-4', `localhost:${port}`]],
    ['an address after udp://', 4, (port) => [`udp://127.0.0.1:${port}`]],
    ['an IPv6 address after udp://', 6, (port) => [`udp://[::1]:${port}`]],
    ['the IPv4 loopback by a bare port', 4, (port) => [String(port)]],
    ['the IPv6 loopback by a bare port and -6', 6, (port) => ['-6', String(port)]],
    ['the IPv4 loopback by a bare port and -4', 4, (port) => ['-4', String(port)]],
    ['an IPv6 address written at length', 6, (port) => [`[0:0:0:0:0:0:0:1]:${port}`]],
    ['an IPv4 address written as mapped', 4, (port) => [`[::ffff:127.0.0.1]:${port}`]],
    ['an IPv4 address written as mapped, in hex', 4, (port) => [`[::ffff:7f00:1]:${port}`]],
  ];

  test.each(forms)('%s', async (_title, family, args) => {
    await using server = await silentServer(family);
    const { status, stderr } = await udpcat(['send', ...args(server.port), 'hello']);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [datagram] = await server.collect(1);
    expect(datagram?.data.toString()).toBe('hello');
  });
});

describe('send refuses with status 2, before anything is opened,', () => {
  const remedy = 'it stands for every interface; name one address, for example 127.0.0.1:8000 for this host';
  const wrong: readonly [title: string, args: readonly string[], message: string][] = [
    ['a missing address', [], "missing required argument 'address'"],
    ['every interface as :port', [':8000'], `cannot send to "*:8000": ${remedy}`],
    ['every interface as *:port', ['*:8000'], `cannot send to "*:8000": ${remedy}`],
    ['every interface as [::]:port', ['[::]:8000'], `cannot send to "*:8000": ${remedy}`],
    ['every interface as 0.0.0.0:port', ['0.0.0.0:8000'], `cannot send to "0.0.0.0:8000": ${remedy}`],
    ['every interface as a mapped address', ['[::ffff:0.0.0.0]:8000'], `cannot send to "0.0.0.0:8000": ${remedy}`],
    ['port 0', ['127.0.0.1:0'], 'cannot send to "127.0.0.1:0": the port of a destination is 1 to 65535, not 0'],
    ['a bare port 0', ['0'], 'cannot send to "0": the port of a destination is 1 to 65535, not 0'],
    ['a port above 65535', ['127.0.0.1:65536'], '"65536" is not a port, 0 to 65535'],
    ['a port with a sign', ['127.0.0.1:+53'], '"+53" is not a port'],
    ['an address without a port', ['192.0.2.1'], 'it has no port; write 192.0.2.1:PORT'],
    ['an IPv6 address without a port', ['[::1]'], 'it has no port; write [::1]:PORT'],
    ["netcat's host and port", ['192.0.2.1', '53'], 'it has no port; write 192.0.2.1:53'],
    ["netcat's host, port and message", ['example.com', '53', 'x'], 'it has no port; write example.com:53'],
    ['IPv6 without brackets', ['2001:db8::1'], 'write an IPv6 address in brackets: [2001:db8::1]:PORT'],
    ['IPv6 and a port without brackets', ['2001:db8::1:53'], 'write an IPv6 address in brackets'],
    ['a short form of IPv4', ['127.1:9'], '"127.1" is not an IPv4 address in its full decimal form'],
    ['a number for IPv4', ['2130706433:9'], '"2130706433" is not an IPv4 address in its full decimal form'],
    ['a hexadecimal form of IPv4', ['0x7f.1:9'], '"0x7f.1" is not an IPv4 address in its full decimal form'],
    ['an octal form of IPv4', ['010.0.0.1:9'], '"010.0.0.1" is not an IPv4 address in its full decimal form'],
    ['a zone that is no interface', ['[fe80::1%nosuch]:9'], 'this host has no interface "nosuch"'],
    ['a link-local address without a zone', ['[fe80::1]:9'], 'a link-local address needs its interface'],
    ['a zone where none belongs', ['[::1%lo]:9'], 'only a link-local address has a zone'],
    ['IPv4 with -6', ['-6', '127.0.0.1:9'], 'it is not an IPv6 address'],
    ['IPv6 with -4', ['-4', '[::1]:9'], 'it is not an IPv4 address'],
    ['-4 with -6', ['-4', '-6', '9'], "'-4, --ipv4' cannot be used with option '-6, --ipv6'"],
    ['a source of the other family', ['-b', '[::1]', '127.0.0.1:9'], '::1 is not of the family of 127.0.0.1'],
    ['a source that -6 excludes', ['-6', '-b', '127.0.0.1', '[::1]:9'], 'it is not an IPv6 address'],
    ['a source of the other family than the loopback', ['-b', '[::1]', '9'], '::1 is not of the family of 127.0.0.1'],
    ['a source that is no address', ['-b', '127.1', '127.0.0.1:9'], 'not an IPv4 address in its full decimal form'],
  ];

  test.each(wrong)('%s', async (_title, args, message) => {
    const { status, stdout, stderr } = await udpcat(['send', ...args]);
    expect(stderr).toContain(message);
    expect(stderr).toMatch(/^udpcat: .*\n$/);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 2, stdout: '' });
  });
});

test('an unknown name is status 1 with one line', async () => {
  const { status, stderr } = await udpcat(['send', 'nosuch.invalid:9', 'hello']);
  expect(stderr).toMatch(/^udpcat: cannot resolve nosuch\.invalid: .*\n$/);
  expect(status).toBe(1);
});

describe('-b', () => {
  async function sourceOf(family: Family, bind: string): Promise<{ host: string; port: number }> {
    await using server = await silentServer(family);
    const { status, stderr } = await udpcat(['send', server.address, 'hello', '-b', bind]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const [datagram] = await server.collect(1);
    return hostAndPort(datagram?.from ?? '');
  }

  test('takes an IPv4 address', async () => {
    expect(await sourceOf(4, '127.0.0.2')).toMatchObject({ host: '127.0.0.2' });
  });

  test('takes an IPv4 address and a port', async () => {
    const port = await closedPort();
    expect(await sourceOf(4, `127.0.0.2:${port}`)).toEqual({ host: '127.0.0.2', port });
  });

  test('takes an IPv6 address', async () => {
    expect(await sourceOf(6, '[::1]')).toMatchObject({ host: '::1' });
  });

  test('takes an IPv6 address and a port', async () => {
    const port = await closedPort(6);
    expect(await sourceOf(6, `[::1]:${port}`)).toEqual({ host: '::1', port });
  });

  test.each([4, 6] as const)('takes a bare port for any address of IPv%d', async (family) => {
    const port = await closedPort(family);
    expect(await sourceOf(family, String(port))).toMatchObject({ port });
  });

  test('also receives the replies', async () => {
    await using server = await echoServer();
    const port = await closedPort();
    const { status, stdout } = await udpcat(['send', server.address, 'hello', '-n', '1', '-b', String(port)]);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: 'hello\n' });
    expect(server.received[0]?.from).toBe(`127.0.0.1:${port}`);
  });

  test.each([['one-way'], ['with a wait', '-n', '1']])(
    'with a port in use gives an error that names it, %s',
    async (_title, ...options) => {
      await using server = await silentServer();
      await using other = await silentServer();
      const { status, stderr } = await udpcat(['send', server.address, 'hello', '-b', other.address, ...options]);
      expect(stderr).toBe(
        `udpcat: cannot bind ${other.address}: the port is in use (EADDRINUSE); choose another port, or 0 for a free one; ss -ulpn shows which program holds it; two sockets cannot share it: only the one bound last would get the datagrams\n`,
      );
      expect(status).toBe(1);
    },
  );

  test('with an address of another host gives an error that names it', async () => {
    const { status, stderr } = await udpcat(['send', '127.0.0.1:9', 'hello', '-b', '192.0.2.77']);
    expect(stderr).toMatch(/^udpcat: cannot bind 192\.0\.2\.77:0: no interface of this host has the address .*\n$/);
    expect(status).toBe(1);
  });
});

describe('of a name with several addresses', () => {
  const hosts = '::1 twofold.test\n127.0.0.1 twofold.test\n';

  async function sendTo(port: number, args: readonly string[], stdin = ''): Promise<Outcome> {
    await using running = startWithHosts(hosts, ['send', `twofold.test:${port}`, ...args]);
    running.stdin.end(stdin);
    return await running.outcome;
  }

  testInNamespaces('the next is tried after a refusal, and -v says which was used', async () => {
    await using server = await echoServer();
    const { status, stdout, stderr } = await sendTo(server.port, ['hello', '-n', '1', '-v']);
    expect(stderr).toMatch(
      `[::1]:${server.port} refused: nobody listens there (ECONNREFUSED); trying 127.0.0.1:${server.port}`,
    );
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: 'hello\n' });
  });

  testInNamespaces('the JSON names the one that was used', async () => {
    await using server = await echoServer();
    const outcome = await sendTo(server.port, ['hello', '-n', '1', '-o', 'json']);
    expect(eventsOf(outcome)).toMatchObject({
      datagram: { from: `127.0.0.1:${server.port}`, data: 'hello' },
      verdict: { verdict: 'ok', replies: 1, address: `127.0.0.1:${server.port}` },
      summary: { sent: 1, received: 1 },
    });
    expect(server.received).toHaveLength(1);
  });

  testInNamespaces('the first is used if it replies', async () => {
    await using server = await echoServer(6);
    const outcome = await sendTo(server.port, ['hello', '-n', '1', '-o', 'json']);
    expect(eventsOf(outcome)).toMatchObject({ verdict: { verdict: 'ok', address: `[::1]:${server.port}` } });
  });

  testInNamespaces('a one-way send goes on to the next as well, and costs no datagram', async () => {
    await using server = await silentServer();
    const lines = Array.from({ length: 1000 }, (_, index) => `line ${index}`);
    const { status, stderr } = await sendTo(server.port, [], lines.join('\n'));
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const received = await server.collect(lines.length);
    expect(received.map(({ data }) => data.toString())).toEqual(lines);
  });

  testInNamespaces('refusals of all are status 4, and the line names the last', async () => {
    const port = await closedPort(6);
    const { status, stderr } = await sendTo(port, ['hello', '-n', '1']);
    expect(stderr).toBe(`udpcat: 127.0.0.1:${port} refused: nobody listens there, or a firewall prohibits it\n`);
    expect(status).toBe(4);
  });

  testInNamespaces('only the ones of -4 or -6 are used', async () => {
    await using server = await echoServer();
    const { status, stderr } = await sendTo(server.port, ['-6', 'hello', '-n', '1']);
    expect(stderr).toContain(`[::1]:${server.port} refused`);
    expect(status).toBe(4);
  });

  testInNamespaces('the ones of another family than the source are skipped', async () => {
    await using server = await echoServer();
    const { status, stdout, stderr } = await sendTo(server.port, ['-b', '127.0.0.2', 'hello', '-n', '1']);
    expect({ status, stdout: stdout.toString(), stderr }).toEqual({ status: 0, stdout: 'hello\n', stderr: '' });
    expect(server.received[0]?.from).toMatch(/^127\.0\.0\.2:/);
  });

  testInNamespaces('a refusal of the only one of the source’s family is status 4', async () => {
    await using server = await echoServer();
    const { status, stderr } = await sendTo(server.port, ['-b', '[::1]', 'hello', '-n', '1']);
    expect(stderr).toBe(`udpcat: [::1]:${server.port} refused: nobody listens there, or a firewall prohibits it\n`);
    expect(status).toBe(4);
  });
});
