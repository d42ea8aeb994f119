/** Tests that need namespaces of their own, which only root can make, are skipped elsewhere, and their name says why. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from '@jest/globals';
import { hasProgram, without } from './peers.js';
import { commandLine, quote, type Running, shell, type StartOptions } from './udpcat.js';

const possible = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;

/** `test`, for one that makes namespaces and needs these programs. */
export function testInNamespaces(name: string, run: () => Promise<void>, programs: readonly string[] = []): void {
  declareInNamespaces(test, name, run, programs);
}

/** {@link testInNamespaces}, for one that mostly waits, beside others of its file that do. */
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
  if (!possible) test.skip(`${name} (skipped: it needs namespaces, and so root)`, run);
  else if (missing !== undefined) test.skip(without(missing, name), run);
  else declare(name, run);
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

/**
 * Runs a shell command line in a network with an interface `lan0`, 10.9.8.1/24 and fd09:8::1/64, where three other hosts
 * are: 10.9.8.11, 10.9.8.12, 10.9.8.13, and fd09:8::11 to 13. On each runs `host`, a command line that writes a line once
 * it is ready and goes on until it is killed; it has its number, 11 to 13, as $1.
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

/** Runs a shell command line in a network of its own whose resolver never answers; other names than localhost need it. */
export function shellWithSilentResolver(line: string, options: StartOptions = {}): Running {
  const network = [
    'mount -t tmpfs none /mnt',
    // glibc gives it up after two minutes and a half, and musl sooner.
    "printf 'nameserver 10.9.7.2\\noptions timeout:30 attempts:5\\n' >/mnt/resolv.conf",
    'echo hosts: files dns >/mnt/nsswitch.conf',
    // What is sent to a link address that nobody has is gone.
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
 * Runs a shell command line on one of two hosts of a network of their own, both of which run `service`. On each the
 * interface is `lan0`, and `/run` its own; the service finds the host's name in `$HOST`: of `near`, where the line runs,
 * 10.9.8.1 and fe80::1 are the addresses, of `far` 10.9.8.2 and fe80::2. When the line has ended, all ends.
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
  // The end of the first process in a process namespace is the end of all.
  return shell(`exec unshare --net --mount --pid --fork --kill-child bash -c ${quote(script)}`, options);
}
