/** Datagrams with a source port of the test's choice, which takes a raw socket and so privileges. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from '@jest/globals';
import { checksumOf } from '../../src/record/packets/checksum.js';
import { hostAndPort } from './sockets.js';
import { sumOf } from './sums.js';

/** Has socat send an IP packet of protocol 17 on the IPv4 loopback, so many times at once; whether it could. */
function sendPacket(packet: Uint8Array, copies = 1): boolean {
  const input = Buffer.concat(Array<Uint8Array>(copies).fill(packet));
  // Of each block it makes a packet.
  const block = String(packet.length);
  return spawnSync('socat', ['-u', '-b', block, '-', 'IP4-SENDTO:127.0.0.1:17'], { input }).status === 0;
}

// An IP packet too short for a UDP header reaches nobody.
const possible = sendPacket(Uint8Array.of(0));

/** `test`, for one that sends from ports which it does not own. */
export function testWithRawSockets(name: string, run: () => Promise<void>): void {
  if (possible) test(name, run);
  else test.skip(`${name} (skipped: it needs socat and a raw socket, and so root)`, run);
}

/** Sends a datagram, so many times, to a port of 127.0.0.1 as if from another port there, whoever has that. */
export function sendAsIfFrom(sourcePort: number, address: string, data: string, copies = 1): void {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(hostAndPort(address).port, 2);
  header.writeUInt16BE(header.length + Buffer.byteLength(data), 4);
  // A checksum of 0 is none (RFC 768).
  if (!sendPacket(Buffer.concat([header, Buffer.from(data)]), copies))
    throw new Error('socat could not send the packet');
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

/**
 * A line of bash that sends a datagram, so many times, from the host it runs on, as if from a port there that somebody
 * else has.
 *
 * @param from the host's address towards `to`, by IPv4 or IPv6, and the port
 */
export function forgingLine(from: string, to: string, data: string, copies: number): string {
  const [source, destination] = [hostAndPort(from), hostAndPort(to)];
  const packet = Buffer.concat([Buffer.alloc(8), Buffer.from(data)]);
  packet.writeUInt16BE(source.port, 0);
  packet.writeUInt16BE(destination.port, 2);
  packet.writeUInt16BE(packet.length, 4);
  const family = to.startsWith('[') ? 6 : 4;
  // Over IPv6 a datagram without a checksum is dropped (RFC 8200 section 8.1).
  if (family === 6) {
    const addresses = Buffer.concat([source.host, destination.host].map(ipv6Bytes));
    const sum = sumOf(addresses) + packet.length + 17 + sumOf(packet);
    packet.writeUInt16BE(checksumOf(sum), 6);
  }
  const escaped = [...packet].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  const target = family === 6 ? `[${destination.host}]` : destination.host;
  const packets = `for copy in $(seq ${copies}); do printf '${escaped}'; done`;
  // Of each block it makes a packet.
  return `{ ${packets}; } | socat -u -b ${packet.length} - IP${family}-SENDTO:${target}:17`;
}

/** The 16 bytes of an address in which `::` stands once. */
function ipv6Bytes(address: string): Buffer {
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
