/** Tests that need namespaces of their own, which only root can make, are skipped elsewhere, and their name says why. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from '@jest/globals';
import { commandLine, quote, type Running, shell, type StartOptions } from './udpcat.js';

const possible = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;

/** `test`, for one that makes namespaces. */
export function testInNamespaces(name: string, run: () => Promise<void>): void {
  if (possible) test(name, run);
  else test.skip(`${name} (skipped: it needs namespaces, and so root)`, run);
}

/** Starts udpcat where `/etc/hosts` holds these lines; it shares the network with the test. */
export function startWithHosts(hosts: string, args: readonly string[], options: StartOptions = {}): Running {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-hosts-'));
  const file = join(folder, 'hosts');
  writeFileSync(file, hosts);
  const line = `mount --bind ${quote(file)} /etc/hosts && exec ${commandLine(args)}`;
  const running = shell(`exec unshare --mount sh -c ${quote(line)}`, options);
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  running.outcome.then(remove, remove);
  return running;
}

/** Runs a shell command line in a network namespace with a loopback and an interface `lan0`, 10.9.8.1/24. */
export function shellInNetwork(line: string, options: StartOptions = {}): Running {
  const interfaces = [
    'ip link set lo up',
    // Addresses are usable at once, instead of when nobody else has claimed them for a second.
    'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad',
    'ip link add lan0 type veth peer name lan1',
    'ip address add 10.9.8.1/24 dev lan0',
    'ip link set lan0 up',
    'ip link set lan1 up',
  ];
  return shell(`exec unshare --net bash -c ${quote([...interfaces, line].join(' && '))}`, options);
}
