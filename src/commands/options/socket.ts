import { conflicting, flag, grouped, option, repeatable } from '../../cli/options.js';
import { ValueError } from '../../net/errors.js';
import { DatagramError, type Family, type Membership, parseMembership } from '../../net/index.js';
import { OVERFLOWS } from '../../net/receive-queue.js';
import { SOCKET_OPTIONS } from '../../net/socket-options.js';
import { parseCount, parseInteger } from '../../text/number.js';
import { parseSize } from '../../text/size.js';
import { oneOf, parseInterfaceName, parseText } from '../../text/value.js';

/** Options of the socket: address, groups, queue and buffers. */
export function socketOptions() {
  return grouped('Socket:', {
    bind: option('-b, --bind <address>', 'local address or port to use', parseText),
    ipv4: conflicting(flag('-4, --ipv4', 'use IPv4 only'), 'ipv6'),
    ipv6: flag('-6, --ipv6', 'use IPv6 only'),
    queueSize: option('--queue-size <n>', 'hold at most n datagrams between socket and command', parseCount, 1024),
    overflow: option(
      '--overflow <policy>',
      'what to do when the queue is full: drop-newest, drop-oldest, fail (status 7)',
      oneOf(OVERFLOWS),
      'drop-newest',
    ),
    failOnDrop: flag(
      '--fail-on-drop',
      'end with status 7 instead of 0 if the kernel, the queue or the output dropped datagrams',
    ),
    recvBuffer: option('--recv-buffer <size>', "size of the kernel's receive buffer: 4Mi", parseBufferSize),
    sendBuffer: option('--send-buffer <size>', "size of the kernel's send buffer", parseBufferSize),
    ttl: option('--ttl <n>', `hop limit of sent datagrams, ${rangeOf('ttl')}`, parseTtl),
    broadcast: flag('--broadcast', 'allow sending to broadcast addresses'),
    reuseAddress: flag('--reuse-address', 'share the port with other programs that do so: for groups and broadcasts'),
    join: repeatable('--join <group[%iface]>', 'join a multicast group; SOURCE@GROUP hears one source only', parseJoin),
    interface: option(
      '--interface <name>',
      'interface for outgoing multicast and broadcast, and for --join',
      parseInterfaceName,
    ),
  });
}

/** The range of a socket option as help and errors write it: `1 to 255`. */
export function rangeOf(name: 'ttl' | 'dscp'): string {
  const { least, most } = SOCKET_OPTIONS[name];
  return `${least} to ${most}`;
}

/** Reads the size of a kernel buffer in bytes, below 1 GiB. The forms are those of {@link parseSize}. */
export function parseBufferSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes > SOCKET_OPTIONS.recvBufferBytes.most)
    throw new ValueError('A buffer is smaller than 1024Mi: 64k, 1M, 4MiB.');
  return bytes;
}

/** Reads a hop limit. */
export function parseTtl(text: string): number {
  const { least, most } = SOCKET_OPTIONS.ttl;
  return parseInteger(text, least, most, `A hop limit is a whole number from ${rangeOf('ttl')}.`);
}

/** Reads a multicast group: `[SOURCE@]GROUP[%interface]`. */
export function parseJoin(text: string): Membership {
  try {
    return parseMembership(text);
  } catch (error) {
    if (!(error instanceof DatagramError)) throw error;
    throw new ValueError(
      'A group is a multicast address: 239.1.2.3, ff02::4242%eth0, or SOURCE@GROUP for one source only.',
    );
  }
}

/** The family of `-4` or `-6`. Undefined: both. */
export function familyOption({
  ipv4,
  ipv6,
}: {
  readonly ipv4?: true | undefined;
  readonly ipv6?: true | undefined;
}): Family | undefined {
  if (ipv4 === true) return 4;
  return ipv6 === true ? 6 : undefined;
}
