import { isIPv4 } from 'node:net';
import { invalidAddress } from './address.js';
import { isIPv6, splitZone } from './literal.js';

/** A scheme, for example `http://`; `UDP4-SENDTO:` of socat, but not `udp:8000`, which is a name; `/dev/udp/` of bash. */
const PREFIX = /^(?:[a-z][a-z\d+.-]*:\/\/|(?:udp|tcp)[46]?(?:-[a-z]+)?:(?!\d*$)|\/dev\/(?:udp|tcp)\/)/i;

/** An IPv4 address and a port as tcpdump, named, nmap or a shell write them. */
const IPV4_AND_PORT = /^(\d+\.\d+\.\d+\.\d+)[.#, ](\d{1,5})$/;

/**
 * Refuses the forms in which other tools write addresses, and says how udpcat writes the same. Other text passes.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function refuseForeign(text: string): void {
  const [prefix] = PREFIX.exec(text) ?? [];
  if (prefix !== undefined) {
    const remedy = corrected(prefix, text.slice(prefix.length));
    throw invalidAddress(text, `"${prefix}" does not belong to an address; write ${remedy}`);
  }
  const dotted = withColon(text);
  if (dotted !== undefined) throw invalidAddress(text, `a colon stands before the port; write ${dotted}`);
}

/** Returns the address behind a foreign prefix. `PORT` stands for a port that is missing. */
function corrected(prefix: string, text: string): string {
  // A URL may go on after the port. `/dev/udp/HOST/PORT` has its port there.
  const [rest = ''] = prefix.startsWith('/') ? [text.replace(/\/(\d+)$/, ':$1')] : text.split(/[/?]/, 1);
  const known = inBrackets(rest) ?? withColon(rest);
  if (known !== undefined) return known;
  return /^\d+$|:\d+$/.test(rest) ? rest : `${rest === '' ? 'HOST' : rest}:PORT`;
}

function withColon(text: string): string | undefined {
  const [, address, port = ''] = IPV4_AND_PORT.exec(text) ?? [];
  return address !== undefined && isIPv4(address) ? `${address}:${port}` : undefined;
}

/**
 * Puts an IPv6 address in brackets: `::1` is `[::1]:PORT`, `fe80::1%eth0:7001` is `[fe80::1%eth0]:7001`. The last group is the
 * port if the rest is an address without it. Undefined: the text is no IPv6 address, or its brackets are right.
 */
export function inBrackets(text: string): string | undefined {
  const [, address, port] = /^\[(.*)\](\d{1,5})$/s.exec(text) ?? /^([^[\]]*):(\d{1,5})$/s.exec(text) ?? [];
  if (address !== undefined && Number(port) <= 65_535 && isIPv6(splitZone(address).bare)) {
    return `[${address}]:${port ?? ''}`;
  }
  return isIPv6(splitZone(text).bare) ? `[${text}]:PORT` : undefined;
}
