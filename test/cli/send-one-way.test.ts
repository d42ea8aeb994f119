import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { shellInNetwork, testInNamespaces } from '../support/namespaces.js';
import { arrivals, closedAddress, echoServer, freeAddress, silentServer } from '../support/sockets.js';
import { udpcat } from '../support/in-process.js';
import { commandLine, start } from '../support/udpcat.js';
import { testNeeding } from '../support/needs.js';

const testWithProc = testNeeding('proc');

const families = [4, 6] as const;
const thousand = Array.from({ length: 1000 }, (_, index) => `line ${index}`);

describe.each(families)('a one-way send over IPv%d', (family) => {
  test('loses nothing, although it ends at once', async () => {
    await using server = await silentServer(family);
    const { status, stderr } = await udpcat(['send', server.address], { stdin: thousand.join('\n') });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const received = await server.collect(1000);
    expect(received.map(({ data }) => data.toString())).toEqual(thousand);
  });

  test('writes no replies, and reports none as dropped', async () => {
    await using server = await echoServer(family);
    await using running = start(['send', server.address]);
    // More replies than the queue holds.
    running.stdin.write(`${thousand.join('\n')}\n${thousand.join('\n')}\n`);
    await server.collect(2000);
    running.stdin.end('the end\n');
    const { status, stdout, stderr } = await running.outcome;
    expect({ status, stdout: stdout.toString(), stderr }).toEqual({ status: 0, stdout: '', stderr: '' });
  });

  test('of one message that is refused is status 4', async () => {
    const address = await closedAddress(family);
    const { status, stdout, stderr } = await udpcat(['send', address, 'hello']);
    expect(stderr).toBe(`udpcat: ${address} refused: nobody listens there, or a firewall prohibits it\n`);
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 4, stdout: '' });
  });

  test('that is refused is status 4 with -w 0 as well', async () => {
    expect(await udpcat(['send', await closedAddress(family), 'a', 'b', '-w', '0'])).toMatchObject({ status: 4 });
  });
});

test('a refusal of an earlier message is status 0 if the last one is taken', async () => {
  const address = await freeAddress();
  const port = Number(address.split(':')[1]);
  await using running = start(['send', address, '-v']);
  running.stdin.write('refused\n');
  await running.until('refused', 'stderr');
  await using server = await silentServer(4, port);
  running.stdin.end('first to arrive\nsecond\n');
  expect(await running.outcome).toMatchObject({ status: 0 });
  const received = await server.collect(2);
  expect(received.map(({ data }) => data.toString())).toEqual(['first to arrive', 'second']);
});

test('a service that starts in mid-stream gets every datagram from then on, despite earlier refusals', async () => {
  const address = await freeAddress();
  const port = Number(address.split(':')[1]);
  await using running = start(['send', address, '-v']);
  running.stdin.write('x\n'.repeat(1000));
  await running.until('refused', 'stderr');
  await using server = await silentServer(4, port);
  running.stdin.end(`${thousand.join('\n')}\n`);
  expect(await running.outcome).toMatchObject({ status: 0 });
  const arrived = await arrivals(server);
  expect(arrived.filter((data) => data !== 'x')).toEqual(thousand);
});

testInNamespaces('refusals do not stop it: all of 1000 datagrams to a closed port leave', async () => {
  const count = `awk '$1 == "Udp:" { print "OutDatagrams", $5 }' /proc/net/snmp`;
  // A row of datagrams that the linux engine hands to the kernel as one counts there as one.
  const send = commandLine(['send', '--engine', 'node', '127.0.0.1:9', '-o', 'json']);
  await using running = shellInNetwork(`{ seq 1 1000 | ${send}; echo "status $?"; ${count}; }`);
  const { stdout, stderr } = await running.outcome;
  expect(stdout.toString()).toMatch(/"sent":1000,.*\nstatus 4\n/);
  // Nothing else sends in this network namespace.
  expect(stdout.toString()).toMatch(/OutDatagrams OutDatagrams\nOutDatagrams 1000\n/);
  expect(stderr).toBe('udpcat: 127.0.0.1:9 refused: nobody listens there, or a firewall prohibits it\n');
});

testInNamespaces('the same over IPv6', async () => {
  const count = `awk '$1 == "Udp6OutDatagrams" { print $1, $2 }' /proc/net/snmp6`;
  const send = commandLine(['send', '--engine', 'node', '[::1]:9']);
  await using running = shellInNetwork(`{ seq 1 1000 | ${send}; echo "status $?"; ${count}; }`);
  const { stdout } = await running.outcome;
  expect(stdout.toString()).toBe('status 4\nUdp6OutDatagrams 1000\n');
});

test('datagrams leave as they come, while stdin stays open', async () => {
  await using server = await silentServer();
  await using running = start(['send', server.address]);
  for (let n = 1; n <= 3; n += 1) {
    running.stdin.write(`line ${n}\n`);
    const received = await server.collect(n);
    expect(received.at(-1)?.data.toString()).toBe(`line ${n}`);
  }
  running.stdin.end();
  expect(await running.outcome).toMatchObject({ status: 0 });
});

testWithProc('a long stdin does not stay in memory after it was sent', async () => {
  await using server = await silentServer();
  await using running = start(['send', server.address, '--frame', 'chunk:60000']);
  const chunk = Buffer.alloc(60_000);
  const megabytes = 240;
  for (let sent = 0; sent < megabytes * 1e6; sent += chunk.length) {
    if (!running.stdin.write(chunk)) await new Promise((resolve) => running.stdin.once('drain', resolve));
  }
  const [, peakKb] = /VmHWM:\s*(\d+) kB/.exec(readFileSync(`/proc/${running.pid}/status`, 'utf8')) ?? [];
  expect(Number(peakKb) / 1000).toBeLessThan(megabytes / 1.5);
  running.stdin.end();
  expect(await running.outcome).toMatchObject({ status: 0 });
});

test('-w 0 contradicts an expectation, which is a usage error', async () => {
  await using server = await silentServer();
  for (const option of [['--expect', 'x'], ['--expect-size', '1'], ['-n', '1'], ['-n', 'all'], ['--any-source']]) {
    const { status, stderr } = await udpcat(['send', server.address, 'x', '-w', '0', ...option]);
    expect(stderr).toMatch(/^udpcat: option '-w, --wait' 0 waits for no reply, and other options ask for one.*\n$/);
    expect(status).toBe(2);
  }
  expect(server.received).toEqual([]);
});
