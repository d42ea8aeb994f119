import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { testWithLinuxEngine } from '../support/engines.js';
import { shellInNetwork, startWithHosts, testInNamespaces } from '../support/namespaces.js';
import { canBind, jsonLines, logLines } from '../support/service.js';
import { closedPort, hostAndPort, silentServer } from '../support/sockets.js';
import { start, udpcat } from '../support/in-process.js';
import { commandLine, quote } from '../support/udpcat.js';

/** Starts both commands. Returns the address in the listening line of each. */
function listeningOn(args: readonly string[]): Promise<string[]> {
  return Promise.all(
    ['serve', 'echo'].map(async (command) => {
      await using running = start([command, ...args]);
      return await running.listening();
    }),
  );
}

const both = (pattern: RegExp): unknown[] => [expect.stringMatching(pattern), expect.stringMatching(pattern)];

describe('the address of serve and echo', () => {
  test.each([
    { written: '127.0.0.1:0', args: ['127.0.0.1:0'], printed: /^127\.0\.0\.1:\d+$/ },
    { written: '[::1]:0', args: ['[::1]:0'], printed: /^\[::1\]:\d+$/ },
    { written: '[0:0:0:0:0:0:0:1]:0, in short', args: ['[0:0:0:0:0:0:0:1]:0'], printed: /^\[::1\]:\d+$/ },
    { written: 'udp://127.0.0.1:0', args: ['udp://127.0.0.1:0'], printed: /^127\.0\.0\.1:\d+$/ },
    { written: 'udp://[::1]:0', args: ['udp://[::1]:0'], printed: /^\[::1\]:\d+$/ },
    { written: '[::ffff:127.0.0.1]:0, as IPv4', args: ['[::ffff:127.0.0.1]:0'], printed: /^127\.0\.0\.1:\d+$/ },
    { written: 'a name', args: ['localhost:0', '-4'], printed: /^127\.0\.0\.1:\d+$/ },
    { written: 'a name after udp://', args: ['udp://localhost:0', '-4'], printed: /^127\.0\.0\.1:\d+$/ },
    { written: 'a port, on the loopback', args: ['0'], printed: /^127\.0\.0\.1:\d+$/ },
    { written: 'a port with -6', args: ['-6', '0'], printed: /^\[::1\]:\d+$/ },
    { written: 'a port with -4', args: ['-4', '0'], printed: /^127\.0\.0\.1:\d+$/ },
    { written: ':0, every interface', args: [':0'], printed: /^\[::\]:\d+$/ },
    { written: '*:0, every interface', args: ['*:0'], printed: /^\[::\]:\d+$/ },
    { written: '[::]:0, every interface', args: ['[::]:0'], printed: /^\[::\]:\d+$/ },
    { written: '*:0 with -6', args: ['*:0', '-6'], printed: /^\[::\]:\d+$/ },
    { written: '*:0 with -4', args: ['*:0', '-4'], printed: /^0\.0\.0\.0:\d+$/ },
    { written: '[::]:0 with -4', args: ['[::]:0', '-4'], printed: /^0\.0\.0\.0:\d+$/ },
    { written: '0.0.0.0:0', args: ['0.0.0.0:0'], printed: /^0\.0\.0\.0:\d+$/ },
    { written: 'nothing at all', args: [], printed: /^127\.0\.0\.1:\d+$/ },
    { written: 'nothing but -6', args: ['-6'], printed: /^\[::1\]:\d+$/ },
    { written: '--bind', args: ['--bind', '[::1]:0'], printed: /^\[::1\]:\d+$/ },
    { written: '-b with a port', args: ['-b', '0'], printed: /^127\.0\.0\.1:\d+$/ },
    { written: 'an argument after --', args: ['--', '[::1]:0'], printed: /^\[::1\]:\d+$/ },
  ])('can be $written', async ({ args, printed }) => {
    expect(await listeningOn(args)).toEqual(both(printed));
  });

  test('is the very port that was asked for', async () => {
    const port = await closedPort();
    await using running = start(['serve', String(port)]);
    expect(await running.listening()).toBe(`127.0.0.1:${port}`);
  });

  test('is the free port that the kernel chose, and not 0', async () => {
    for (const address of await listeningOn([])) expect(hostAndPort(address).port).toBeGreaterThan(0);
  });

  test('can be used as an argument as printed, for every kind of address', async () => {
    for (const address of ['0', '[::1]:0', '*:0', '0.0.0.0:0', 'localhost:0']) {
      const first = start(['serve', address]);
      const printed = await first.listening();
      await first[Symbol.asyncDispose]();
      await using second = start(['serve', printed]);
      expect(await second.listening()).toBe(printed);
    }
  });
});

describe('every interface', () => {
  test.each([':0', '*:0', '[::]:0'])(
    'as %s hears IPv4 and IPv6 on one socket, and shows IPv4 plainly',
    async (address) => {
      await using running = start(['serve', address, '-o', 'json', '-c', '2']);
      const { port } = hostAndPort(await running.listening());
      await using four = await silentServer(4);
      await using six = await silentServer(6);
      await four.send('four', `127.0.0.1:${port}`);
      await running.until('"four"');
      await six.send('six', `[::1]:${port}`);
      const { stdout, status } = await running.outcome;
      expect(jsonLines(stdout).filter(({ type }) => type === 'datagram')).toMatchObject([
        { from: four.address, data: 'four' },
        { from: six.address, data: 'six' },
      ]);
      expect(status).toBe(0);
    },
  );

  test('responds to both families', async () => {
    await using running = start(['echo', '*:0']);
    const { port } = hostAndPort(await running.listening());
    await using four = await silentServer(4);
    await using six = await silentServer(6);
    await four.send('four', `127.0.0.1:${port}`);
    await six.send('six', `[::1]:${port}`);
    expect((await four.collect(1))[0]).toMatchObject({ data: Buffer.from('four'), from: `127.0.0.1:${port}` });
    expect((await six.collect(1))[0]).toMatchObject({ data: Buffer.from('six'), from: `[::1]:${port}` });
  });

  test.each([
    { args: ['*:0'], four: false, six: false },
    { args: ['*:0', '-6'], four: true, six: false },
    { args: ['*:0', '-4'], four: false, six: true },
    { args: ['0.0.0.0:0'], four: false, six: true },
    { args: ['0'], four: false, six: true },
  ])('$args leaves the port free for IPv4: $four, for IPv6: $six', async ({ args, four, six }) => {
    await using running = start(['serve', ...args]);
    const { port } = hostAndPort(await running.listening());
    expect({ four: await canBind('127.0.0.1', port), six: await canBind('::1', port) }).toEqual({ four, six });
  });

  test('of IPv4 receives on every address of IPv4', async () => {
    await using running = start(['serve', '0.0.0.0:0', '-c', '1']);
    const { port } = hostAndPort(await running.listening());
    await using peer = await silentServer();
    await peer.send('x', `127.1.2.3:${port}`);
    expect((await running.outcome).stdout.toString()).toBe('x\n');
  });
});

describe('an address that cannot be bound', () => {
  test('because the port is taken is one line with the remedy, and status 1', async () => {
    await using first = start(['serve', '0']);
    const address = await first.listening();
    const outcome = await udpcat(['serve', address]);
    expect(outcome.status).toBe(1);
    expect(outcome.stdout).toHaveLength(0);
    expect(logLines(outcome)).toEqual([
      `udpcat: cannot bind ${address}: the port is in use (EADDRINUSE); choose another port, or 0 for a free one; ss -ulpn shows which program holds it; two sockets cannot share it: only the one bound last would get the datagrams`,
    ]);
  });

  test('because this host does not have it is one line, and status 1', async () => {
    const outcome = await udpcat(['echo', '192.0.2.1:0']);
    expect(outcome).toMatchObject({ status: 1, stdout: Buffer.alloc(0) });
    expect(logLines(outcome)).toEqual([expect.stringMatching(/^udpcat: cannot bind 192\.0\.2\.1:0: .*EADDRNOTAVAIL/)]);
  });

  test('because its name is unknown is one line, and status 1', async () => {
    const outcome = await udpcat(['serve', 'nosuch.invalid:0']);
    expect(outcome.status).toBe(1);
    expect(logLines(outcome)).toEqual([expect.stringMatching(/^udpcat: cannot resolve nosuch\.invalid: /)]);
  });

  testInNamespaces('is skipped if the name has another one', async () => {
    await using running = startWithHosts('192.0.2.1 several\n127.0.0.1 several\n', ['serve', 'several:0']);
    expect(await running.listening()).toMatch(/^127\.0\.0\.1:\d+$/);
  });
});

describe('a link-local address', () => {
  testInNamespaces(
    'stands with the interface that is its zone, and is printed so that it can be given back',
    async () => {
      const folder = mkdtempSync(join(tmpdir(), 'udpcat-zone-'));
      try {
        const fifo = quote(join(folder, 'stderr'));
        const serve = commandLine(['serve', '[fe80::1%lo]:0', '-c', '1', '-o', 'json']);
        // The address is the third word of the listening line.
        const script = `mkfifo ${fifo}; ${serve} 2>${fifo} & read -r _ _ _ address <${fifo}
        ${commandLine(['send'])} "$address" hello; wait $!`;
        const outcome = await shellInNetwork(`ip address add fe80::1/64 dev lo nodad && { ${script}; }`).outcome;
        const address: unknown = expect.stringMatching(/^\[fe80::1%lo\]:\d+$/);
        expect(jsonLines(outcome.stdout)).toMatchObject([
          { type: 'listening', address },
          { type: 'datagram', from: address, to: address, data: 'hello' },
          { type: 'summary', received: 1 },
        ]);
        expect(outcome.status).toBe(0);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

describe('an address that is refused', () => {
  test.each([
    { args: ['127.0.0.1'], says: /"127\.0\.0\.1".* 127\.0\.0\.1:PORT/ },
    { args: ['localhost'], says: /"localhost".* localhost:PORT/ },
    { args: ['[::1]'], says: /"\[::1\]".* \[::1\]:PORT/ },
    { args: ['192.0.2.1', '53'], says: /192\.0\.2\.1:53/ },
    { args: ['::1', '53'], says: /\[::1\]:53/ },
    { args: ['0', 'more', 'words'], says: /"more words"|"more"/ },
    { args: ['::1'], says: /"::1".* \[::1\]:PORT/ },
    { args: ['::1:8000'], says: /"::1:8000".*brackets/ },
    { args: ['2001:db8::1:8000'], says: /brackets/ },
    { args: ['127.1:8000'], says: /"127\.1:8000".*127\.0\.0\.1/ },
    { args: ['0x7f.1:8000'], says: /"0x7f\.1:8000".*decimal/ },
    { args: ['010.0.0.1:8000'], says: /"010\.0\.0\.1:8000".*decimal/ },
    { args: ['2130706433:8000'], says: /"2130706433:8000".*decimal/ },
    { args: ['0x7f000001:8000'], says: /"0x7f000001:8000".*decimal/ },
    { args: ['127.0.0.256:8000'], says: /"127\.0\.0\.256:8000"/ },
    { args: ['65536'], says: /"65536".*0 to 65535/ },
    { args: ['127.0.0.1:65536'], says: /"65536".*0 to 65535/ },
    { args: ['127.0.0.1:'], says: /"127\.0\.0\.1:".*0 to 65535/ },
    { args: ['127.0.0.1:http'], says: /"http".*0 to 65535/ },
    { args: ['127.0.0.1:0x50'], says: /"0x50".*0 to 65535/ },
    { args: ['127.0.0.1:+80'], says: /"\+80".*0 to 65535/ },
    { args: [''], says: /""/ },
    { args: ['tcp://127.0.0.1:80'], says: /"tcp:\/\/127\.0\.0\.1:80"/ },
    { args: ['a b:80'], says: /"a b"/ },
    { args: ['[127.0.0.1]:80'], says: /"127\.0\.0\.1" is not an IPv6/ },
    { args: ['[fe80::1]:80'], says: /fe80::1.*interface/ },
    { args: ['[fe80::1%nosuch0]:80'], says: /interface "nosuch0"/ },
    { args: ['[2001:db8::1%lo]:80'], says: /zone/ },
    { args: ['-6', '127.0.0.1:0'], says: /127\.0\.0\.1:0.*IPv6/ },
    { args: ['-6', '0.0.0.0:0'], says: /0\.0\.0\.0:0.*IPv6/ },
    { args: ['-6', '[::ffff:127.0.0.1]:0'], says: /127\.0\.0\.1:0.*IPv6/ },
    { args: ['-4', '[::1]:0'], says: /\[::1\]:0.*IPv4/ },
    { args: ['-4', '-6', '0'], says: /'-4, --ipv4'.*'-6, --ipv6'/ },
    { args: ['8000', '--bind', '8001'], says: /"8000".*"8001".*--bind/ },
    { args: ['--bind', 'localhost'], says: /--bind.*"localhost".*localhost:PORT/ },
    { args: ['--bind', '127.1:80'], says: /--bind.*"127\.1:80".*decimal/ },
    { args: ['-6', '--bind', '127.0.0.1:0'], says: /--bind.*IPv6/ },
  ])('$args is status 2 with one line that says the reason and the right form', async ({ args, says }) => {
    const outcome = await udpcat(['serve', ...args]);
    expect(outcome).toMatchObject({ status: 2, stdout: Buffer.alloc(0) });
    expect(logLines(outcome)).toEqual([expect.stringMatching(/^udpcat: /)]);
    expect(outcome.stderr).toMatch(says);
  });

  test('is refused by echo in the same words', async () => {
    for (const args of [
      ['192.0.2.1', '53'],
      ['--bind', '127.1:80'],
      ['1', '-b', '2'],
    ]) {
      const [serve, echo] = await Promise.all(['serve', 'echo'].map((command) => udpcat([command, ...args])));
      expect(echo).toEqual(serve);
    }
  });
});

testWithLinuxEngine(
  'an answer leaves from the address that was asked, on every interface of both families',
  async () => {
    for (const command of [
      ['serve', '*:0', '--reply', 'pong'],
      ['echo', '0.0.0.0:0'],
    ]) {
      await using running = start([...command, '--engine', 'linux']);
      const { port } = hostAndPort(await running.listening());
      // A connected socket receives only from the address that it sent to.
      const args = ['send', `127.0.0.2:${port}`, 'ping', '--bind', '127.0.0.1', '-w', '1m'];
      expect(await udpcat(args)).toMatchObject({ status: 0 });
    }
  },
);
