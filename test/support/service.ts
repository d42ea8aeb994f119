/** Helpers of the tests of `serve` and `echo`. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { hostAndPort, type Peer } from './sockets.js';
import type { Outcome } from './udpcat.js';

/** Whether the port is free in the family of the host: binds a socket to it and closes it. */
export async function canBind(host: string, port: number): Promise<boolean> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', ipv6Only: host.includes(':') });
  try {
    const bound = once(socket, 'listening');
    socket.bind(port, host);
    await bound;
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}

/** Sends payloads in order, each after the kernel has taken the one before it. */
export async function sendAll(peer: Peer, address: string, payloads: Iterable<string | Uint8Array>): Promise<void> {
  for (const payload of payloads) await peer.send(payload, address);
}

/** The kernel's counts of a socket. */
interface KernelSocket {
  /** How many bytes wait in its buffer. */
  readonly waitingBytes: number;
  /** How many datagrams the kernel dropped for want of room in its buffer. */
  readonly drops: number;
}

/**
 * How many times the table of sockets is read before a socket counts as missing. Linux gives the table in pieces, and leaves a
 * socket out if an earlier one is closed between two pieces.
 */
const MOST_READS = 50;

/** Returns the kernel's counts of the sockets on a port, in the family of the host. Throws if there is none. */
function kernelSockets(address: string): readonly [KernelSocket, ...KernelSocket[]] {
  for (let reads = 0; reads < MOST_READS; reads += 1) {
    const [first, ...others] = readKernelSockets(address);
    if (first !== undefined) return [first, ...others];
  }
  throw new Error(`no socket on ${address}`);
}

function readKernelSockets(address: string): readonly KernelSocket[] {
  const { host, port } = hostAndPort(address);
  const table = readFileSync(host.includes(':') ? '/proc/net/udp6' : '/proc/net/udp', 'utf8');
  return table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) === port)
    .map((fields) => ({
      waitingBytes: Number.parseInt(fields[4]?.split(':')[1] ?? '', 16),
      drops: Number(fields.at(-1)),
    }));
}

/** Returns the kernel's counts of the first socket on a port. Throws if there is none. */
export function kernelSocket(address: string): KernelSocket {
  return kernelSockets(address)[0];
}

/** Waits until programs have read all datagrams that the kernel held for the port. No event tells of that. */
export async function drained(address: string): Promise<void> {
  while (kernelSockets(address).some(({ waitingBytes }) => waitingBytes > 0)) await delay(5);
}

/** One line of `-o json` or `--log-format json`. */
export type JsonLine = Readonly<Record<string, unknown>> & { readonly type?: string };

/** Returns the JSON objects of an output, one for each line. Throws if the last line has no newline. */
export function jsonLines(text: string | Uint8Array): JsonLine[] {
  const lines = Buffer.from(text as string)
    .toString()
    .split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  return lines.map((line) => JSON.parse(line) as JsonLine);
}

/** Returns the payload of a JSON line of type `datagram`. */
export function payloadOf({ data, base64 }: JsonLine): Buffer {
  return data === undefined ? Buffer.from(base64 as string, 'base64') : Buffer.from(data as string);
}

/** Returns the lines on stderr. Throws if the last line has no newline. */
export function logLines({ stderr }: Outcome): string[] {
  const lines = stderr.split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  return lines;
}
