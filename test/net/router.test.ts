/** What a router says, in namespaces of its own: ICMP errors other than those of loopback, and interfaces of any name. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect } from '@jest/globals';
import { build } from 'esbuild';
import { testInNamespaces } from '../support/namespaces.js';

const folder = mkdtempSync(join(tmpdir(), 'udpcat-router-'));
const bundle = join(folder, 'net.mjs');

/** A host with a router, behind which nets are prohibited, carry 1280 bytes only, or are prohibited by the host itself. */
const NETWORK = `set -e
mount -t tmpfs none /run
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
ip netns exec router sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'
ip route add default via 198.18.0.2
ip route add default via fd01::2
ip -n router route add prohibit 198.51.100.0/24
ip -n router route add prohibit 2001:db8:1::/48
ip -n router route add 203.0.113.0/24 dev narrow
ip -n router route add 2001:db8:2::/48 dev narrow
ip route add prohibit 192.0.2.0/24
`;

/** Runs a module body in that network, with the library as `net`; resolves to what it returns. */
async function inNetwork<T>(body: string): Promise<T> {
  const module = `
    import * as net from ${JSON.stringify(bundle)};
    import { once } from 'node:events';
    const run = async () => { ${body} };
    process.stdout.write(JSON.stringify(await run()));
  `;
  const node = `exec '${process.execPath}' --input-type=module -e "$MODULE"`;
  const { stdout } = await promisify(execFile)('unshare', ['--net', '--mount', 'sh', '-c', NETWORK + node], {
    env: { ...process.env, MODULE: module, NODE_OPTIONS: '' },
  });
  return JSON.parse(stdout) as T;
}

/** Sends until an ICMP error was reported, then three more; every send must succeed. */
const sendUntilError = (address: string, bytes: number): string => `
  const client = await net.openUdpConnection('${address}');
  const reported = once(client, 'peerError');
  const seen = [];
  client.on('peerError', (error) => seen.push(error));
  const sent = [];
  for (let nth = 0; seen.length === 0 && nth < 100; nth += 1) {
    sent.push(...await client.sendBatch([Buffer.alloc(nth === 0 ? ${bytes} : 1)]));
    // The router answers when it will: sometimes the event comes first, sometimes the next send meets the error.
    for (let turn = 0; turn < 20 && seen.length === 0 && nth % 2 === 0; turn += 1) await client.poll();
  }
  const [error] = await reported;
  for (let nth = 0; nth < 3; nth += 1) sent.push(...await client.sendBatch([Buffer.alloc(1)]));
  const waiting = client.recv();
  client.close();
  return { failures: sent.length, code: error.code, cause: error.cause.code, peer: error.peer, message: error.message,
    end: await waiting.catch(({ code }) => code) };
`;

beforeAll(async () => {
  const entry = fileURLToPath(new URL('../../src/net/index.ts', import.meta.url));
  await build({
    entryPoints: [entry],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe('a client behind a router', () => {
  for (const [family, address, port, cause] of [
    [4, '198.51.100.1', 9, 'EHOSTUNREACH'],
    [6, '2001:db8:1::1', 9, 'EACCES'],
  ] as const) {
    const written = family === 4 ? `${address}:${port}` : `[${address}]:${port}`;

    testInNamespaces(`reports what the router prohibits as a refusal of IPv${family}, and fails no send`, async () => {
      expect(await inNetwork(sendUntilError(written, 1))).toMatchObject({
        failures: 0,
        code: 'REFUSED',
        cause,
        peer: { address, port },
        end: 'CLOSED',
      });
    });
  }

  for (const [family, address] of [
    [4, '203.0.113.1:9'],
    [6, '[2001:db8:2::1]:9'],
  ] as const) {
    testInNamespaces(
      `reports a datagram too large for the path of IPv${family} as an event, and fails no other`,
      async () => {
        expect(await inNetwork(sendUntilError(address, 1400))).toMatchObject({
          failures: 0,
          code: 'TOO_LARGE',
          cause: 'EMSGSIZE',
          message: `a datagram was too large for the path to ${address}`,
          end: 'CLOSED',
        });
      },
    );
  }

  testInNamespaces(
    'says that permission is denied, and nothing of broadcast, for a net the host prohibits',
    async () => {
      const body = `return net.openUdpConnection('192.0.2.1:9').catch(({ code, message }) => ({ code, message }));`;
      expect(await inNetwork(body)).toEqual({
        code: 'OPEN_FAILED',
        message: 'cannot send to 192.0.2.1:9: permission denied (EACCES)',
      });
    },
  );

  testInNamespaces('talks through an interface with an underscore in its name', async () => {
    const body = `
      await using server = await net.startUdpServer('[fe80::1%br_lan]:0');
      await using client = await net.openUdpConnection(net.formatEndpoint(server.local));
      await client.send('hello');
      const { data, remote } = await server.recvfrom();
      return { text: data.toString(), remote: remote.address };
    `.replaceAll('await using', 'const');
    const ended = body.replace('return {', 'server.abort(); client.abort(); return {');
    expect(await inNetwork(ended)).toEqual({ text: 'hello', remote: 'fe80::1%br_lan' });
  });
});
