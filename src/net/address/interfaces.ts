import { readFileSync } from 'node:fs';
import { networkInterfaces, platform } from 'node:os';
import { DatagramError } from '../errors.js';

/**
 * An IPv4 address of an interface.
 *
 * @throws {DatagramError} `OPEN_FAILED` where it has none, or is down
 */
export function ipv4Of(interfaceName: string): string {
  const own = networkInterfaces()[interfaceName]?.find((entry) => entry.family === 'IPv4');
  if (own !== undefined) return own.address;
  throw new DatagramError('OPEN_FAILED', `the interface "${interfaceName}" is not up or has no IPv4 address`);
}

/** The name of an interface that may stand in an example: one of this host, other than its loopback. */
export function anyInterface(): string {
  return Object.keys(networkInterfaces()).find((name) => name !== 'lo') ?? 'eth0';
}

/** Whether this host has a network interface of that name. */
export function interfaceExists(name: string): boolean {
  return Object.hasOwn(networkInterfaces(), name) || interfacesOfLinux().includes(name);
}

/** os.networkInterfaces() leaves out those that are down or have no address, and /sys may be that of another namespace. */
function interfacesOfLinux(): string[] {
  if (platform() !== 'linux') return [];
  try {
    const [, , ...lines] = readFileSync('/proc/net/dev', 'utf8').trimEnd().split('\n');
    return lines.map((line) => line.slice(0, line.indexOf(':')).trim());
  } catch {
    return [];
  }
}
