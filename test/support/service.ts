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

/**
 * Returns the kernel's counts of the socket on a port: bytes that wait in its buffer, and datagrams that it dropped.
 */
export function kernelSocket(address: string): { readonly waitingBytes: number; readonly drops: number } {
  const { host, port } = hostAndPort(address);
  const table = readFileSync(host.includes(':') ? '/proc/net/udp6' : '/proc/net/udp', 'utf8');
  for (const line of table.split('\n').slice(1)) {
    const fields = line.trim().split(/\s+/);
    if (Number.parseInt(fields[1]?.split(':')[1] ?? '', 16) !== port) continue;
    return { waitingBytes: Number.parseInt(fields[4]?.split(':')[1] ?? '', 16), drops: Number(fields.at(-1)) };
  }
  throw new Error(`no socket on ${address}`);
}

/** Waits until the process has read all datagrams that the kernel held for it. No event tells of that. */
export async function drained(address: string): Promise<void> {
  while (kernelSocket(address).waitingBytes > 0) await delay(5);
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
