/** Datagrams with a source port of the test's choice, which takes a raw socket and so privileges. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from '@jest/globals';
import { hostAndPort } from './sockets.js';

/** Has socat send an IP packet of protocol 17 on the IPv4 loopback; whether it could. */
function sendPacket(packet: Uint8Array): boolean {
  return spawnSync('socat', ['-u', '-', 'IP4-SENDTO:127.0.0.1:17'], { input: packet }).status === 0;
}

// An IP packet too short for a UDP header reaches nobody.
const possible = sendPacket(Uint8Array.of(0));

/** `test`, for one that sends from ports which it does not own. */
export function testWithRawSockets(name: string, run: () => Promise<void>): void {
  if (possible) test(name, run);
  else test.skip(`${name} (skipped: it needs socat and a raw socket, and so root)`, run);
}

/** Sends a datagram to a port of 127.0.0.1 as if from another port there, whoever has that. */
export function sendAsIfFrom(sourcePort: number, address: string, data: string): void {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(hostAndPort(address).port, 2);
  header.writeUInt16BE(header.length + Buffer.byteLength(data), 4);
  // A checksum of 0 is none (RFC 768).
  if (!sendPacket(Buffer.concat([header, Buffer.from(data)]))) throw new Error('socat could not send the packet');
}

/** Whether this user may bind ports below 1024. */
export function mayBindServicePorts(): boolean {
  try {
    return (
      Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'utf8')) < 1024 || process.getuid?.() === 0
    );
  } catch {
    return process.getuid?.() === 0;
  }
}
