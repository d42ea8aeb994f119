/** Sends datagrams with a forged source port. That takes a raw socket, and so root. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from '@jest/globals';
import { checksumOf } from '../../src/record/packets/checksum.js';
import { hostAndPort } from './sockets.js';
import { sumOf } from './sums.js';

/**
 * Sends copies of an IP packet to 127.0.0.1 with socat. Returns whether that succeeded.
 *
 * @param protocol 17 for UDP, 1 for ICMP
 */
function sendPacket(packet: Uint8Array, copies = 1, protocol = 17): boolean {
  const input = Buffer.concat(Array<Uint8Array>(copies).fill(packet));
  // socat makes a packet of each block.
  const block = String(packet.length);
  return spawnSync('socat', ['-u', '-b', block, '-', `IP4-SENDTO:127.0.0.1:${protocol}`], { input }).status === 0;
}

// A packet too short for a UDP header is harmless: it reaches no socket.
const possible = sendPacket(Uint8Array.of(0));

/** Declares a test that sends datagrams with a forged source port. */
export function testWithRawSockets(name: string, run: () => Promise<void>): void {
  if (possible) test(name, run);
  else test.skip(`${name} (skipped: it needs socat and a raw socket, and so root)`, run);
}

/** Sends copies of a datagram to a port of 127.0.0.1, with another port of 127.0.0.1 as its forged source. */
export function sendAsIfFrom(sourcePort: number, address: string, data: string, copies = 1): void {
  const header = Buffer.alloc(8);
  header.writeUInt16BE(sourcePort, 0);
  header.writeUInt16BE(hostAndPort(address).port, 2);
  header.writeUInt16BE(header.length + Buffer.byteLength(data), 4);
  // The checksum 0 means that there is none (RFC 768).
  if (!sendPacket(Buffer.concat([header, Buffer.from(data)]), copies))
    throw new Error('socat could not send the packet');
}

/** Sends an ICMP error of 127.0.0.1 about a datagram from one port of 127.0.0.1 to another (RFC 792). @param mtu of "too big" */
export function sendIcmpError(type: number, code: number, fromPort: number, toPort: number, mtu = 0): void {
  const packet = Buffer.alloc(8 + 20 + 8);
  packet.writeUInt8(type, 0);
  packet.writeUInt8(code, 1);
  packet.writeUInt16BE(mtu, 6);
  // The IP header of the datagram, and its UDP header.
  Buffer.from('450000240000000040110000' + '7f000001'.repeat(2), 'hex').copy(packet, 8);
  packet.writeUInt16BE(fromPort, 28);
  packet.writeUInt16BE(toPort, 30);
  packet.writeUInt16BE(16, 32);
  packet.writeUInt16BE(checksumOf(sumOf(packet)), 2);
  if (!sendPacket(packet, 1, 1)) throw new Error('socat could not send the packet');
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
 * Returns a line of bash that sends copies of a datagram with a forged source port.
 *
 * @param from An address of the host on which the line runs, IPv4 or IPv6, and the forged port.
 */
export function forgingLine(from: string, to: string, data: string, copies: number): string {
  const [source, destination] = [hostAndPort(from), hostAndPort(to)];
  const packet = Buffer.concat([Buffer.alloc(8), Buffer.from(data)]);
  packet.writeUInt16BE(source.port, 0);
  packet.writeUInt16BE(destination.port, 2);
  packet.writeUInt16BE(packet.length, 4);
  const family = to.startsWith('[') ? 6 : 4;
  // IPv6 hosts drop a datagram without a checksum (RFC 8200 section 8.1).
  if (family === 6) {
    const addresses = Buffer.concat([source.host, destination.host].map(ipv6Bytes));
    const sum = sumOf(addresses) + packet.length + 17 + sumOf(packet);
    packet.writeUInt16BE(checksumOf(sum), 6);
  }
  const escaped = [...packet].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
  const target = family === 6 ? `[${destination.host}]` : destination.host;
  const packets = `for copy in $(seq ${copies}); do printf '${escaped}'; done`;
  // socat makes a packet of each block.
  return `{ ${packets}; } | socat -u -b ${packet.length} - IP${family}-SENDTO:${target}:17`;
}

/** Returns the 16 bytes of an IPv6 address that contains `::`. */
function ipv6Bytes(address: string): Buffer {
  const [left = [], right = []] = address.split('::').map((half) => half.split(':').filter((group) => group !== ''));
  const groups = [...left, ...Array<string>(8 - left.length - right.length).fill('0'), ...right];
  return Buffer.from(groups.map((group) => group.padStart(4, '0')).join(''), 'hex');
}
