/** `udpcat relay` as a process: its descriptors, its signals, its terminal, and the names of its system. */
import { execFile } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect } from '@jest/globals';
import { openUdpConnection, startUdpServer, type DatagramClient } from '../../src/net/index.js';
import { echo } from '../relay/relaying.js';
import { ENGINE_NAMES } from '../support/engines.js';
import { startWithHosts, testInNamespaces } from '../support/namespaces.js';
import { testWith } from '../support/peers.js';
import { screen } from '../support/screen.js';
import { jsonLines } from '../support/service.js';
import { start, terminal } from '../support/udpcat.js';

const LOCAL = '127.0.0.1:0';

/** Sends a payload and waits for the reply. */
async function ask(client: DatagramClient, payload: string): Promise<string> {
  await client.send(payload);
  return Buffer.from(await client.recv()).toString();
}

for (const engine of ENGINE_NAMES) {
  testWith('prlimit', `a relay without descriptors tells and counts it, and goes on (${engine} engine)`, async () => {
    await using server = await startUdpServer(LOCAL);
    echo(server);
    const target = `127.0.0.1:${server.local.port}`;
    await using relay = start(['relay', LOCAL, target, '--engine', engine, '-o', 'json', '--stats']);
    const address = await relay.listening();
    const limit = (most: number): Promise<unknown> =>
      promisify(execFile)('prlimit', ['--pid', String(relay.pid), `--nofile=${most}:`]);
    await using first = await openUdpConnection(address);
    expect(await ask(first, 'a')).toBe('a');
    await limit(readdirSync(`/proc/${relay.pid}/fd`).length);
    const failed = relay.until('too many open files', 'stdout');
    let clients = 0;
    for (let isFailed = false; !isFailed; clients += 1) {
      await using client = await openUdpConnection(address);
      await client.send('b');
      isFailed = await Promise.race([failed.then(() => true), client.recv().then(() => false)]);
    }
    // A client that has a session keeps it.
    expect(await ask(first, 'c')).toBe('c');
    await limit(500);
    await using last = await openUdpConnection(address);
    expect(await ask(last, 'd')).toBe('d');

    relay.kill('SIGUSR2');
    await relay.until(`session 1 of 127.0.0.1:${first.local.port}: up 2 received, 2 sent; down 2 received`, 'stderr');
    relay.kill('SIGINT');
    const { status, stdout, stderr } = await relay.outcome;
    expect(status).toBe(0);
    expect(stderr).toMatch(/warning: no session for 127\.0\.0\.1:\d+: .*EMFILE.*no session until others end/);
    const lines = jsonLines(stdout.toString());
    const [summary] = lines.filter(({ type }) => type === 'summary');
    const passed = clients - 1 + 3;
    expect(summary).toMatchObject({
      sessions: { opened: clients - 1 + 2 },
      up: { received: passed + 1, sent: passed, lost: { noSocket: 1 }, notSent: 0 },
      down: { received: passed, sent: passed },
    });
  });
}

testInNamespaces('--resolve sends new sessions to the new address of the target; open ones keep theirs', async () => {
  await using before = await startUdpServer('127.0.0.2:0');
  await using after = await startUdpServer(`127.0.0.3:${before.local.port}`);
  echo(before, 'before ');
  echo(after, 'after ');
  const target = `service.test:${before.local.port}`;
  await using relay = startWithHosts('127.0.0.2 service.test\n', ['relay', LOCAL, target, '--resolve', '300ms']);
  const address = await relay.listening();
  await using one = await openUdpConnection(address);
  expect(await ask(one, '1')).toBe('before 1');
  writeFileSync(relay.hosts, '127.0.0.3 service.test\n');
  await relay.until(`new sessions go to 127.0.0.3:${before.local.port}`, 'stderr');
  await using other = await openUdpConnection(address);
  expect(await ask(other, '2')).toBe('after 2');
  expect(await ask(one, '3')).toBe('before 3');
  writeFileSync(relay.hosts, '\n');
  await relay.until(`stays 127.0.0.3:${before.local.port}: cannot resolve service.test`, 'stderr');
  expect(await ask(other, '4')).toBe('after 4');
  relay.kill('SIGTERM');
  expect((await relay.outcome).status).toBe(0);
});

testWith('script', 'the live line tells sessions, both ways and losses, and is gone at the end', async () => {
  await using server = await startUdpServer(LOCAL);
  echo(server);
  const target = `127.0.0.1:${server.local.port}`;
  await using running = terminal(['relay', LOCAL, target, '--stats', '--no-color', '--up-lose', '1']);
  const [, address = ''] = await running.until(/listening on (\S+)\r\n/);
  await using client = await openUdpConnection(address);
  await client.send('lost');
  expect(await ask(client, 'passed')).toBe('passed');
  await running.until(/2 up \([\d.]+\/s\), 1 down \([\d.]+\/s\), 1 session, 1 lost/);
  running.type('\x03');
  const { stdout, status } = await running.outcome;
  expect(status).toBe(0);
  const rows = screen(stdout.toString());
  expect(rows.filter((row) => row.includes('/s)'))).toEqual([]);
  expect(rows).toContain('udpcat: up: 2 received, 1 sent, 1 lost by number');
});
