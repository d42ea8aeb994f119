import { isIPv6, SocketAddress } from 'node:net';
import { parseSourceAddress } from '../net/address/parse.js';
import { ValueError } from '../net/errors.js';
import { DatagramError } from '../net/index.js';

/** Which datagrams of a recording are sent: all, or those of one sender or receiver. */
export type ReplayFilter = 'all' | EndFilter;

/** Selects datagrams by their sender (`src`) or receiver (`dst`). */
export interface EndFilter {
  readonly end: 'src' | 'dst';
  /** The address in canonical form. A link-local address without a zone matches any zone. Undefined: any address. */
  readonly address: string | undefined;
  /** Undefined: any port. */
  readonly port: number | undefined;
}

/**
 * Reads a filter: `all`, or `src` or `dst` with an address, a port or both. Examples: `dst 192.0.2.1:53`, `src
 * 192.0.2.1`, `src [2001:db8::1]`, `dst 53`.
 *
 * @throws {ValueError} if the text is no filter
 */
export function parseReplayFilter(text: string): ReplayFilter {
  if (text === 'all') return text;
  const [, end, written = ''] = /^(src|dst)[ =](.+)$/s.exec(text) ?? [];
  const recorded = end === undefined ? undefined : parseRecordedEnd(written);
  if ((end === 'src' || end === 'dst') && recorded !== undefined) return { end, ...recorded };
  throw new ValueError(
    'A filter is "src" or "dst", and an address, a port or both, as in "dst 192.0.2.1:53". "all" takes everything.',
  );
}

/** Reads an address, a port or both, as the recording of any host can have them. Returns undefined for other texts. */
function parseRecordedEnd(text: string): { address: string | undefined; port: number | undefined } | undefined {
  try {
    if (/^\d+$/.test(text)) return { address: undefined, port: parseSourceAddress(text).port };
    const [, inBrackets = text, portAfter = '0'] = /^\[(.+)\](?::(\d+))?$/s.exec(text) ?? [];
    const [, ipv6 = '', zone = ''] = /^([\da-f:.]+)(%[^\s%/]{1,15})?$/i.exec(inBrackets) ?? [];
    if (!isIPv6(ipv6)) {
      const { host, port } = parseSourceAddress(text);
      return host.kind === 'literal' ? { address: host.address, port: port === 0 ? undefined : port } : undefined;
    }
    const { port } = parseSourceAddress(portAfter);
    // Not read by parseSourceAddress(): a recording can have wildcard addresses, and zones that this host does not
    // know.
    const { address } = new SocketAddress({ address: ipv6, family: 'ipv6' });
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
    return { address: mapped ?? `${address}${zone}`, port: port === 0 ? undefined : port };
  } catch (error) {
    if (error instanceof DatagramError) return undefined;
    throw error;
  }
}
