// The networks of the bench: one host, or two hosts that a pair of veth devices connects.
import { readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { hasProgram, run, start } from './programs.mjs';

/**
 * The network of one host. `address` is that of the receiver. `near` changes a command line so that it runs on the host
 * of the sender, `far` so that it runs on the host of the receiver.
 */
export const loopback = { name: 'loopback', address: '127.0.0.1', near: (argv) => argv, far: (argv) => argv };

/** Returns why {@link openVeth} is impossible here; undefined if it is possible. */
export function whyNoVeth() {
  if (process.getuid() !== 0) return 'only root can make network namespaces';
  const missing = ['unshare', 'nsenter', 'ip'].find((name) => !hasProgram(name));
  return missing === undefined ? undefined : `${missing} is not installed`;
}

/** How long a network lasts at most: longer than all measurements together. */
const LIMIT_MS = 3 * 3_600_000;

/** Opens a network namespace that ends with the process in it. */
async function openNamespace() {
  const { pid } = start(['unshare', '--net', 'cat'], { stdin: 'pipe', limitMs: LIMIT_MS });
  const own = readlinkSync('/proc/self/ns/net');
  while (readlinkSync(`/proc/${pid}/ns/net`) === own) await delay(2);
  return { pid, within: (argv) => ['nsenter', `--net=/proc/${pid}/ns/net`, ...argv] };
}

/** Opens two hosts, 10.9.8.1 and 10.9.8.2, in namespaces without a name. The namespaces end with the bench. */
export async function openVeth() {
  const [near, far] = [await openNamespace(), await openNamespace()];
  const peer = ['type', 'veth', 'peer', 'name', 'veth0', 'netns', String(far.pid)];
  await run(['ip', 'link', 'add', 'veth0', 'netns', String(near.pid), ...peer]);
  for (const [{ within }, address] of [
    [near, '10.9.8.1/24'],
    [far, '10.9.8.2/24'],
  ]) {
    await run(within(['ip', 'address', 'add', address, 'dev', 'veth0']));
    await run(within(['ip', 'link', 'set', 'lo', 'up']));
    await run(within(['ip', 'link', 'set', 'veth0', 'up']));
  }
  return { name: 'veth', address: '10.9.8.2', near: near.within, far: far.within };
}
