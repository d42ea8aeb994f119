/**
 * Runs tests in namespaces of their own, which only root can make. For other users they are skipped; the name says why.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from '@jest/globals';
import { hasProgram, without } from './peers.js';
import { commandLine, quote, type Running, shell, type StartOptions } from './udpcat.js';

/** Whether this user can make namespaces. */
export const namespacesArePossible = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;

/** Declares a test that makes namespaces and needs these programs. */
export function testInNamespaces(name: string, run: () => Promise<void>, programs: readonly string[] = []): void {
  declareInNamespaces(test, name, run, programs);
}

/** Like {@link testInNamespaces}, for a test that mostly waits: it runs beside other such tests of its file. */
testInNamespaces.concurrent = (name: string, run: () => Promise<void>, programs: readonly string[] = []): void => {
  declareInNamespaces(test.concurrent, name, run, programs);
};

function declareInNamespaces(
  declare: (name: string, run: () => Promise<void>) => void,
  name: string,
  run: () => Promise<void>,
  programs: readonly string[],
): void {
  const missing = programs.find((program) => !hasProgram(program));
  if (!namespacesArePossible) test.skip(`${name} (skipped: it needs namespaces, and so root)`, run);
  else if (missing !== undefined) test.skip(without(missing, name), run);
  else declare(name, run);
}

/** A command whose `/etc/hosts` is a file of the test. */
export interface RunningWithHosts extends Running {
  /** The path of the file. Write to it to change the names while the command runs. */
  readonly hosts: string;
}

/** Starts udpcat with these lines as `/etc/hosts`. It shares the network with the test. */
export function startWithHosts(hosts: string, args: readonly string[], options: StartOptions = {}): RunningWithHosts {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-hosts-'));
  const file = join(folder, 'hosts');
  writeFileSync(file, hosts);
  const line = `mount --bind ${quote(file)} /etc/hosts && exec ${commandLine(args)}`;
  const running = shell(`exec unshare --mount sh -c ${quote(line)}`, options);
  const remove = (): void => {
    rmSync(folder, { recursive: true, force: true });
  };
  running.outcome.then(remove, remove);
  return Object.assign(running, { hosts: file });
}

/** Runs a shell command line in a network namespace with a loopback and an interface `lan0`, 10.9.8.1/24. */
export function shellInNetwork(line: string, options: StartOptions = {}): Running {
  const interfaces = [
    'ip link set lo up',
    // Makes IPv6 addresses usable at once. Otherwise duplicate address detection takes a second.
    'echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad',
    'ip link add lan0 type veth peer name lan1',
    'ip address add 10.9.8.1/24 dev lan0',
    'ip link set lan0 up',
    'ip link set lan1 up',
  ];
  return shell(`exec unshare --net bash -c ${quote([...interfaces, line].join(' && '))}`, options);
}

/**
 * Runs a shell command line in a network namespace with an interface `lan0`, 10.9.8.1/24 and fd09:8::1/64.
 *
 * Three other hosts are on that link: 10.9.8.11 to 10.9.8.13, and fd09:8::11 to fd09:8::13. Each of them runs the
 * command line `host`, with its number, 11 to 13, as $1. `host` must write a line when it is ready, and run until it is
 * killed.
 */
export function shellAmongHosts(host: string, line: string, options: StartOptions = {}): Running {
  const script = `set -e
    mount -t tmpfs none /run
    ip link set lo up
    ip link add lan0 type bridge mcast_snooping 0
    ip address add 10.9.8.1/24 dev lan0
    ip address add fd09:8::1/64 dev lan0 nodad
    ip link set lan0 addrgenmode none
    ip address add fe80::1/64 dev lan0 nodad
    ip link set lan0 up
    mkfifo /run/ready
    exec 3<>/run/ready
    for number in 11 12 13; do
      ip netns add "$number"
      ip -n "$number" link set lo up
      ip link add "veth$number" type veth peer name eth0 netns "$number"
      ip link set "veth$number" master lan0 up
      ip -n "$number" link set eth0 addrgenmode none
      ip -n "$number" address add "10.9.8.$number/24" dev eth0
      ip -n "$number" address add "fd09:8::$number/64" dev eth0 nodad
      ip -n "$number" address add "fe80::$number/64" dev eth0 nodad
      ip -n "$number" link set eth0 up
      ip netns exec "$number" sh -c ${quote(host)} sh "$number" >/run/ready &
    done
    for number in 11 12 13; do read -r _ <&3; done
    set +e
    ( ${line}
    ) 3>&-
    status=$?
    kill $(jobs -p)
    exit $status`;
  return shell(`exec unshare --net --mount bash -c ${quote(script)}`, options);
}

/**
 * Runs a shell command line in a network whose name server never responds. All names but localhost need that server.
 */
export function shellWithSilentResolver(line: string, options: StartOptions = {}): Running {
  const network = [
    'mount -t tmpfs none /mnt',
    // glibc gives up after two and a half minutes, musl sooner.
    "printf 'nameserver 10.9.7.2\\noptions timeout:30 attempts:5\\n' >/mnt/resolv.conf",
    'echo hosts: files dns >/mnt/nsswitch.conf',
    // Nobody has this link address, so datagrams to the name server are lost.
    'ip link add void0 type veth peer name void1',
    'ip address add 10.9.7.1/24 dev void0',
    'ip link set void0 up',
    'ip link set void1 up',
    'ip neighbour add 10.9.7.2 lladdr 02:00:00:00:00:02 dev void0',
    'ip link set lo up',
    'mount --bind /mnt/resolv.conf "$(realpath /etc/resolv.conf)"',
    'mount --bind /mnt/nsswitch.conf "$(realpath /etc/nsswitch.conf)"',
  ];
  return shell(`exec unshare --net --mount bash -c ${quote([...network, line].join(' && '))}`, options);
}

/**
 * Runs a shell command line on the first of two hosts. When the line ends, everything ends.
 *
 * | host | addresses on `lan0` |
 * | --- | --- |
 * | `near`, which runs the line | 10.9.8.1, fe80::1 |
 * | `far` | 10.9.8.2, fe80::2 |
 *
 * Both hosts run the command line `service`, with the name of the host in `$HOST` and an empty `/run` of their own.
 */
export function shellOnTwoHosts(service: string, line: string, options: StartOptions = {}): Running {
  const hosts = [
    'mount -t tmpfs none /run',
    'ip netns add far',
    'ip link add lan0 type veth peer name lan0 netns far',
    ...['ip', 'ip -n far'].flatMap((ip, index) => [
      `${ip} link set lo up`,
      `${ip} link set lan0 addrgenmode none`,
      `${ip} address add 10.9.8.${index + 1}/24 dev lan0`,
      `${ip} address add fe80::${index + 1}/64 dev lan0 nodad`,
      `${ip} link set lan0 up`,
    ]),
  ];
  const serve = `mount -t tmpfs none /run && HOST=$1 && { ${service}; } >/run/log 2>&1`;
  const services = [
    `unshare --mount bash -c ${quote(serve)} serve near &`,
    `ip netns exec far bash -c ${quote(serve)} serve far &`,
  ];
  const script = `${hosts.join(' && ')} || exit; ${services.join(' ')} ${line}`;
  // When the first process of a process namespace ends, the kernel ends all others in it.
  return shell(`exec unshare --net --mount --pid --fork --kill-child bash -c ${quote(script)}`, options);
}
