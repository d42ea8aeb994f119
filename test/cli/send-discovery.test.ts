import { describe, expect, test } from '@jest/globals';
import { shellInNetwork, testInNamespaces } from '../support/namespaces.js';
import { answeringServer, echoServer, silentServer, strayServer } from '../support/sockets.js';
import { type RunningHere, udpcat } from '../support/in-process.js';
import { sideBySide } from '../support/side-by-side.js';
import { commandLine, type Outcome, quote } from '../support/udpcat.js';

describe.each([4, 6] as const)('--any-source over IPv%d', (family) => {
  test('takes a reply from another address, and shows the sender', async () => {
    await using server = await strayServer(family, 'found');
    const { status, stdout, stderr } = await udpcat(['send', server.address, 'who?', '--any-source']);
    expect(stdout.toString()).toMatch(/^[^\n]* found\n$/);
    expect(stdout.toString()).toContain(` ${server.strayAddress} `);
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  test('takes the reply of the address asked as well', async () => {
    await using server = await answeringServer(['found'], family);
    const { status, stdout } = await udpcat(['send', server.address, 'who?', '--any-source', '--no-meta']);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 0, stdout: 'found\n' });
  });

  sideBySide('has each reply once, with its sender', async () => {
    await using server = await strayServer(family, 'elsewhere');
    server.socket.on('message', (_data, from) => {
      server.socket.send('here', from.port, from.address);
    });
    const args = ['who?', '--any-source', '-n', 'all', '-w', '3s', '-o', 'json'];
    const { status, stdout } = await udpcat(['send', server.address, ...args]);
    const events = stdout
      .toString()
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const datagrams = events.filter(({ type }) => type === 'datagram');
    expect(datagrams).toHaveLength(2);
    expect(datagrams).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ from: server.strayAddress, data: 'elsewhere' }),
        expect.objectContaining({ from: server.address, data: 'here' }),
      ]),
    );
    expect(events.at(-2)).toMatchObject({ type: 'verdict', verdict: 'ok', replies: 2 });
    expect(status).toBe(0);
  });

  sideBySide('judges replies from other addresses, and names the sender of a wrong one', async () => {
    await using server = await strayServer(family, 'NOPE');
    const args = ['who?', '--any-source', '--expect', 'OK', '-w', '3s'];
    expect(await udpcat(['send', server.address, ...args])).toMatchObject({
      status: 5,
      stderr: `udpcat: the reply from ${server.strayAddress} does not contain "OK"\n`,
    });
  });

  test('without a reply is silence', async () => {
    await using server = await silentServer(family);
    const args = ['who?', '--any-source', '-w', '200ms'];
    expect(await udpcat(['send', server.address, ...args])).toMatchObject({ status: 3 });
  });
});

sideBySide(
  'without --any-source datagrams from other addresses are left out, and after the first ten only counted',
  async () => {
    await using server = await strayServer();
    await using other = await echoServer();
    const messages = Array.from({ length: 30 }, (_, index) => `${index}`);
    const { status, stdout, stderr } = await udpcat(['send', server.address, ...messages, '-w', '3s']);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 6, stdout: '' });
    const lines = stderr.split('\n').filter((line) => line.includes('is not the address asked'));
    expect(lines).toHaveLength(10);
    expect(other.received).toEqual([]);
  },
);

/** A host that responds, from its own address, to datagrams that go to port 7000 of this address. */
function responder(bind: string, join = ''): string {
  const type = bind.includes(':') ? 'udp6' : 'udp4';
  const script = `
    const socket = require('node:dgram').createSocket('${type}');
    socket.on('message', (data, from) => socket.send('here', from.port, from.address));
    socket.bind(7000, '${bind}', () => { ${join}; console.log('ready'); });`;
  return `${quote(process.execPath)} -e ${quote(script)}`;
}

/** Runs send in a network of its own, in which a host responds. */
function discover(host: string, args: readonly string[]): RunningHere {
  return shellInNetwork(
    `{ coproc HOST { exec ${host}; }; read -r _ <&"\${HOST[0]}"; ${commandLine([...args, '-w', '1h'])}; status=$?; kill "$HOST_PID"; exit $status; }`,
  );
}

function lines({ stdout }: Outcome): string[] {
  return stdout.toString().trimEnd().split('\n');
}

describe('a broadcast destination', () => {
  testInNamespaces('needs --broadcast, and the line says so', async () => {
    await using running = shellInNetwork(commandLine(['send', '10.9.8.255:7000', 'who?']));
    const { status, stderr } = await running.outcome;
    expect(stderr).toMatch(/^udpcat: cannot send to 10\.9\.8\.255:7000: .*; allow it with --broadcast\n$/);
    expect(status).toBe(1);
  });

  testInNamespaces('with --broadcast takes replies from any address', async () => {
    await using running = discover(responder('0.0.0.0'), [
      'send',
      '10.9.8.255:7000',
      'who?',
      '--broadcast',
      '-n',
      '1',
      '-b',
      '10.9.8.1',
      '-o',
      'json',
    ]);
    const outcome = await running.outcome;
    expect(lines(outcome).map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { type: 'datagram', from: '10.9.8.1:7000', data: 'here' },
      { type: 'verdict', verdict: 'ok', address: '10.9.8.255:7000' },
      { type: 'summary' },
    ]);
    expect(outcome.status).toBe(0);
  });

  testInNamespaces('shows each reply with its sender', async () => {
    await using running = discover(responder('0.0.0.0'), ['send', '10.9.8.255:7000', 'who?', '--broadcast', '-n', '1']);
    const { status, stdout } = await running.outcome;
    expect(stdout.toString()).toMatch(/ 10\.9\.8\.1:7000 .* here\n$/);
    expect(status).toBe(0);
  });

  testInNamespaces('sends one-way as well', async () => {
    await using running = shellInNetwork(commandLine(['send', '10.9.8.255:7000', 'who?', '--broadcast']));
    expect(await running.outcome).toMatchObject({ status: 0, stderr: '' });
  });
});

describe('a multicast destination', () => {
  testInNamespaces('has each responder in the summary, with its replies and its round-trip time', async () => {
    const hosts = `
      const { createSocket } = require('node:dgram');
      const all = [1, 2, 3].map(() => createSocket('udp4'));
      const group = createSocket('udp4', (data, from) => all.forEach((host) => host.send(data, from.port, from.address)));
      group.bind(7000, '0.0.0.0', () => { group.addMembership('239.1.2.3', '10.9.8.1'); console.log('ready'); });`;
    const args = ['239.1.2.3:7000', '--interface', 'lan0', '--size', '32', '-c', '2', '--rate', 'max', '-n', '6'];
    await using running = discover(`${quote(process.execPath)} -e ${quote(hosts)}`, ['send', ...args, '-o', 'json']);
    const outcome = await running.outcome;
    const summary = JSON.parse(lines(outcome).at(-1) ?? '') as { responders: readonly { address: string }[] };
    const responder = { address: expect.stringMatching(/^10\.9\.8\.1:\d+$/), replies: 2, rttMs: expect.any(Number) };
    expect(summary.responders).toEqual([responder, responder, responder]);
    expect(new Set(summary.responders.map(({ address }) => address)).size).toBe(3);
    expect(outcome.status).toBe(0);
  });

  testInNamespaces('takes replies from any address, over IPv4', async () => {
    const host = responder('0.0.0.0', "socket.addMembership('239.1.2.3', '10.9.8.1')");
    await using running = discover(host, ['send', '239.1.2.3:7000', 'who?', '--interface', 'lan0', '-n', '1']);
    const { status, stdout } = await running.outcome;
    expect(stdout.toString()).toMatch(/ 10\.9\.8\.1:7000 .* here\n$/);
    expect(status).toBe(0);
  });

  testInNamespaces('takes replies from any address, over IPv6', async () => {
    const host = responder('::', "socket.addMembership('ff02::4242', '::%lan0')");
    await using running = discover(host, ['send', '[ff02::4242%lan0]:7000', 'who?', '-n', '1']);
    const { status, stdout } = await running.outcome;
    expect(stdout.toString()).toMatch(/ \[fe80::[0-9a-f:]+%lan0\]:7000 .* here\n$/);
    expect(status).toBe(0);
  });
});
