import { readFileSync } from 'node:fs';
import { networkInterfaces, platform } from 'node:os';
import { DatagramError } from '../errors.js';
import { isLoopback } from './endpoint.js';

/**
 * Returns the first IPv4 address of an interface.
 *
 * @throws {DatagramError} `OPEN_FAILED` if the interface has none or is down
 */
export function ipv4Of(interfaceName: string): string {
  const own = networkInterfaces()[interfaceName]?.find((entry) => entry.family === 'IPv4');
  if (own !== undefined) return own.address;
  throw new DatagramError('OPEN_FAILED', `the interface "${interfaceName}" is not up or has no IPv4 address`);
}

/** Returns the name of an interface for an example in a message: one of this host but not its loopback, else `eth0`. */
export function anyInterface(): string {
  return Object.keys(networkInterfaces()).find((name) => name !== 'lo') ?? 'eth0';
}

/**
 * Says that this host has no interface of that name, and which name was probably meant: the name of the interface with that
 * address or that number.
 */
export function noInterface(name: string): string {
  const meant = Object.entries(networkInterfaces()).find(([, entries = []]) =>
    entries.some(
      ({ address, scopeid }) => address === name || (scopeid !== undefined && scopeid > 0 && String(scopeid) === name),
    ),
  );
  return `this host has no interface "${name}"${meant === undefined ? '' : `; write ${meant[0]}, the name of the interface`}`;
}

/** Returns the addresses of an interface. None for text that is no interface of this host. */
export function addressesOf(interfaceName: string): readonly string[] {
  return networkInterfaces()[interfaceName]?.map(({ address }) => address) ?? [];
}

/** Whether an address belongs to an interface of this host. The zone counts. */
export function isOwnAddress(address: string): boolean {
  return isLoopback(address) || interfaceAddresses().includes(address);
}

/** Returns the addresses of this host's interfaces in the canonical form of `Endpoint`. */
export function interfaceAddresses(): string[] {
  return Object.entries(networkInterfaces()).flatMap(([name, entries = []]) =>
    entries.map(({ address, scopeid = 0 }) =>
      scopeid === 0 || address.includes('%') ? address : `${address}%${name}`,
    ),
  );
}

/** Whether this host has a network interface of that name. */
export function interfaceExists(name: string): boolean {
  return Object.hasOwn(networkInterfaces(), name) || interfacesOfLinux().includes(name);
}

/**
 * Returns the names of all interfaces on Linux. `os.networkInterfaces()` leaves out interfaces that are down or have no
 * address. `/sys/class/net` may show another network namespace, so this reads `/proc/net/dev` (proc(5)).
 */
function interfacesOfLinux(): string[] {
  if (platform() !== 'linux') return [];
  try {
    const [, , ...lines] = readFileSync('/proc/net/dev', 'utf8').trimEnd().split('\n');
    return lines.map((line) => line.slice(0, line.indexOf(':')).trim());
  } catch {
    return [];
  }
}
