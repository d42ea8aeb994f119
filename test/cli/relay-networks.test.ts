/** `udpcat relay` beside the faults of the kernel, and below a tunnel. Each test has namespaces of its own, and needs root. */
import { spawnSync } from 'node:child_process';
import { expect, test } from '@jest/globals';
import { testInNamespaces } from '../support/namespaces.js';
import { Network } from '../support/network.js';
import { jsonLines } from '../support/service.js';
import { commandLine, quote, type Running, shell } from '../support/udpcat.js';

/** The fields of a summary that the tests look at. */
interface Summary {
  readonly received: number;
  readonly dropped: { readonly kernel: number };
  readonly up: { readonly received: number; readonly lost: { readonly loss: number; readonly lineQueue: number } };
}

/** The programs of a network namespace have read all datagrams that the kernel held for them. No event tells of that. */
const UNTIL_READ = `while awk '$5 ~ /:/ && $5 !~ /:00000000$/ { waits = 1 } END { exit !waits }' /proc/net/udp; do
  sleep 0.01
done`;

/** Ends a server or a relay in `far` that has read everything. Returns its summary. */
async function summaryOf(network: Network, running: Running): Promise<Summary> {
  await network.run('far', UNTIL_READ);
  running.kill('SIGINT');
  const { stdout } = await running.outcome;
  return jsonLines(stdout).at(-1) as unknown as Summary;
}

/** Sends datagrams from `near`, each by itself: the kernel would lose or keep a run as one. */
async function send(network: Network, address: string, count: number, size: number, ...more: string[]): Promise<void> {
  const load = ['--count', String(count), '--size', String(size), '--rate', 'max', ...more];
  const { status, stderr } = await network.udpcat('near', ['send', address, '--engine', 'node', ...load]);
  expect({ status, stderr }).toMatchObject({ status: 0 });
}

/** The datagrams that the queueing discipline of `near` dropped. */
async function droppedByQueue(network: Network): Promise<number> {
  const [, dropped] = /dropped (\d+)/.exec(await network.run('near', 'tc -s qdisc show dev lan0')) ?? [];
  return Number(dropped);
}

const SERVER = '10.9.8.2:7000';
const RELAY = '10.9.8.2:7001';

const serve = (network: Network): Promise<Running> =>
  network.serve('far', ['serve', SERVER, '-o', 'json', '--no-stats']);

const relay = (network: Network, ...faults: string[]): Promise<Running> =>
  network.serve('far', ['relay', RELAY, SERVER, '-o', 'json', '--side', 'server', '--seed', '1', ...faults]);

/** Declares a test that needs a queueing discipline of the kernel. */
function testWithQueue(kind: string, settings: string, name: string, run: () => Promise<void>): void {
  const add = `ip link set lo up && tc qdisc add dev lo root ${kind} ${settings}`;
  if (spawnSync('unshare', ['--net', 'sh', '-c', add]).status === 0) testInNamespaces(name, run);
  else test.skip(`${name} (skipped: it needs root, tc, and ${kind} in the kernel)`, run);
}

const NETEM = 'loss 10%';
testWithQueue('netem', NETEM, '--loss loses as many datagrams as tc netem', async () => {
  await using network = await Network.open();
  const count = 3000;
  // Five standard deviations of the binomial distribution.
  const most = 5 * Math.sqrt(count * 0.1 * 0.9);
  const server = await serve(network);
  const losing = await relay(network, '--up-loss', '10%');
  await send(network, RELAY, count, 100);
  const { up, dropped } = await summaryOf(network, losing);
  const { received, dropped: droppedByServer } = await summaryOf(network, server);
  expect(up.received + dropped.kernel).toBe(count);
  expect(received + droppedByServer.kernel).toBe(up.received - up.lost.loss);
  expect(Math.abs(up.lost.loss - up.received * 0.1)).toBeLessThan(most);

  await network.run('near', `tc qdisc add dev lan0 root netem ${NETEM}`);
  await send(network, SERVER, count, 100);
  expect(Math.abs((await droppedByQueue(network)) - count * 0.1)).toBeLessThan(most);
});

const TBF = 'rate 16kbit burst 1600 limit 10500';
testWithQueue('tbf', TBF, '--bandwidth and --line-queue lose as many datagrams as tc tbf', async () => {
  await using network = await Network.open();
  // Each datagram takes half a second on the line, and about ten have room in its queue.
  await network.run('near', `tc qdisc add dev lan0 root tbf ${TBF}`);
  await send(network, SERVER, 60, 1000);
  const full = await droppedByQueue(network);
  await network.run('near', 'tc qdisc del dev lan0 root');
  const slow = await relay(network, '--up-bandwidth', '16kbit', '--up-line-queue', '5250ms');
  await send(network, RELAY, 60, 1000);
  const { received, lost } = (await summaryOf(network, slow)).up;
  expect(received).toBe(60);
  expect(full).toBeGreaterThan(40);
  expect(Math.abs(lost.lineQueue - full)).toBeLessThanOrEqual(5);
});

/** Pings through a tunnel of WireGuard, which goes through the relay, until its session has had three ports. Ends with the events. */
const TUNNEL = `set -e
  mount -t tmpfs none /run
  ip link set lo up
  for side in a b; do
    wg genkey >/run/key-$side
    ip netns add $side
    # The process sends its datagrams in this namespace. Only its interface moves to the other one.
    wireguard-go wg-$side 2>/dev/null
  done
  key() { wg pubkey </run/key-$1; }
  wg set wg-b private-key /run/key-b listen-port 7000 peer $(key a) allowed-ips 10.9.7.1/32
  wg set wg-a private-key /run/key-a peer $(key b) allowed-ips 10.9.7.2/32 endpoint 127.0.0.1:7001
  mkfifo /run/log
  exec 3<>/run/log
  RELAY >/run/events 2>&3 &
  relay=$!
  # The first line tells that the relay listens. Before, nothing goes through the tunnel: a handshake is tried again only
  # after five seconds.
  read -r _ <&3
  for side in a:1 b:2; do
    ip link set wg-\${side%:*} netns \${side%:*}
    ip -n \${side%:*} address add 10.9.7.\${side#*:}/24 dev wg-\${side%:*}
    ip -n \${side%:*} link set wg-\${side%:*} up
  done
  while [ "$(grep -c '"type":"rebind"' /run/events)" -lt 2 ]; do
    ip netns exec a ping -n -q -c 2 -i 0.2 -w 120 10.9.7.2 >/dev/null
  done
  ip netns exec a ping -n -q -c 5 -i 0.2 -w 120 10.9.7.2 >/dev/null
  kill -INT $relay
  wait $relay
  cat /run/events`;

testInNamespaces(
  'a ping goes through WireGuard behind the relay, while the port of its session changes',
  async () => {
    const relay = ['relay', '127.0.0.1:7001', '127.0.0.1:7000', '--rebind', '500ms', '-o', 'json', '--side', 'client'];
    const script = TUNNEL.replace('RELAY', commandLine(relay));
    // When the first process of a process namespace ends, the kernel ends all others in it.
    await using running = shell(`exec unshare --net --mount --pid --fork --kill-child bash -c ${quote(script)}`);
    const { status, stdout, stderr } = await running.outcome;
    expect({ status, stderr }).toMatchObject({ status: 0 });
    const events = jsonLines(stdout);
    expect(events.filter(({ type }) => type === 'session')).toHaveLength(1);
    expect(events.at(-1)).toMatchObject({ type: 'summary', up: { notSent: 0 }, down: { notSent: 0 } });
  },
  ['wireguard-go', 'wg', 'ping', 'ip'],
);
