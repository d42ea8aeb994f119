import { conflicting, flag, grouped, option, repeatable } from '../../cli/options.js';
import { ValueError } from '../../net/errors.js';
import { DatagramError, type Family, type Membership, parseMembership } from '../../net/index.js';
import { OVERFLOWS } from '../../net/receive-queue.js';
import { SOCKET_OPTIONS } from '../../net/socket-options.js';
import { parseCount, parseInteger } from '../../text/number.js';
import { parseSize } from '../../text/size.js';
import { oneOf, parseInterfaceName, parseText } from '../../text/value.js';

/** The socket: where it is bound, whom it hears, how much it holds. */
export function socketOptions() {
  return grouped('Socket:', {
    bind: option('-b, --bind <address>', 'local address', parseText),
    ipv4: conflicting(flag('-4, --ipv4', 'IPv4 only'), 'ipv6'),
    ipv6: flag('-6, --ipv6', 'IPv6 only'),
    queueSize: option('--queue-size <n>', 'datagrams held between socket and command', parseCount, 1024),
    overflow: option(
      '--overflow <policy>',
      'when the queue is full: drop-newest, drop-oldest, fail (status 7)',
      oneOf(OVERFLOWS),
      'drop-newest',
    ),
    failOnDrop: flag(
      '--fail-on-drop',
      'status 7 instead of 0 when datagrams were dropped by the kernel, the queue or the output',
    ),
    recvBuffer: option('--recv-buffer <size>', 'kernel receive buffer, such as 4Mi', parseBufferSize),
    sendBuffer: option('--send-buffer <size>', 'kernel send buffer', parseBufferSize),
    ttl: option('--ttl <n>', `hop limit of what is sent, ${rangeOf('ttl')}`, parseTtl),
    broadcast: flag('--broadcast', 'allow sending to broadcast addresses'),
    join: repeatable(
      '--join <group[%iface]>',
      'hear a multicast group, SOURCE@GROUP for what one source sends there',
      parseJoin,
    ),
    interface: option(
      '--interface <name>',
      'interface of outgoing multicast and broadcast, and of --join',
      parseInterfaceName,
    ),
  });
}

/** The range of a socket option as help and errors write it: `1 to 255`. */
export function rangeOf(name: 'ttl' | 'dscp'): string {
  const { least, most } = SOCKET_OPTIONS[name];
  return `${least} to ${most}`;
}

/** Reads the size of a kernel buffer as {@link parseSize} does, below 1 GiB. */
export function parseBufferSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes > SOCKET_OPTIONS.recvBufferBytes.most)
    throw new ValueError('A buffer is smaller than 1024Mi, as in 64k, 1M or 4MiB.');
  return bytes;
}

/** Reads a hop limit. */
export function parseTtl(text: string): number {
  const { least, most } = SOCKET_OPTIONS.ttl;
  return parseInteger(text, least, most, `A hop limit is a whole number from ${rangeOf('ttl')}.`);
}

/** Reads a multicast group, with its interface and source where they are named. */
export function parseJoin(text: string): Membership {
  try {
    return parseMembership(text);
  } catch (error) {
    if (!(error instanceof DatagramError)) throw error;
    throw new ValueError(
      'A group is a multicast address such as 239.1.2.3 or ff02::4242%eth0, after one source and @ if only that is to be heard.',
    );
  }
}

/** The family that `-4` or `-6` restricts the addresses to. */
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
