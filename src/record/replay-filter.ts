import { isIPv6, SocketAddress } from 'node:net';
import { parseSourceAddress } from '../net/address/parse.js';
import { ValueError } from '../net/errors.js';
import { DatagramError } from '../net/index.js';

/** Which datagrams of a recording are sent: those from, or to, an address, a port or both; or all. */
export type ReplayFilter = 'all' | EndFilter;

export interface EndFilter {
  readonly end: 'src' | 'dst';
  /** In canonical form. A link-local one without its zone stands for that of any zone. */
  readonly address: string | undefined;
  readonly port: number | undefined;
}

/** Reads `src` or `dst` and an address, a port or both: `dst 192.0.2.1:53`, `src 192.0.2.1`, `src [2001:db8::1]`, `dst 53`. */
export function parseReplayFilter(text: string): ReplayFilter {
  if (text === 'all') return text;
  const [, end, written = ''] = /^(src|dst)[ =](.+)$/s.exec(text) ?? [];
  const recorded = end === undefined ? undefined : parseRecordedEnd(written);
  if ((end === 'src' || end === 'dst') && recorded !== undefined) return { end, ...recorded };
  throw new ValueError(
    'A filter is "src" or "dst", and an address, a port or both, as in "dst 192.0.2.1:53". "all" takes everything.',
  );
}

/** Reads an address, a port or both, as a recording of any host may have them; undefined for anything else. */
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
    // Here the wildcard and link-local addresses are as good as others, the latter with another host's zone or none.
    const { address } = new SocketAddress({ address: ipv6, family: 'ipv6' });
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
    return { address: mapped ?? `${address}${zone}`, port: port === 0 ? undefined : port };
  } catch (error) {
    if (error instanceof DatagramError) return undefined;
    throw error;
  }
}
