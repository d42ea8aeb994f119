import { SocketAddress } from 'node:net';
import type { Endpoint } from '../../datagram.js';
import { addressBytes } from '../../address/bytes.js';
import type { Family } from '../../address/endpoint.js';
import { AF_INET, AF_INET6 } from './constants.js';
import { Memory } from './memory.js';
import type { SystemCalls } from './system-calls.js';

/** How many addresses a cache holds. A full cache is emptied, so that senders cannot use up the memory. */
const REMEMBERED = 4096;
/** The third word of an IPv4-mapped IPv6 address, read in network order (RFC 4291 section 2.5.5.2). */
const MAPPED = 0xffff;
/** An index that no interface has. It stands for an interface that is gone: the kernel refuses it. 0 would mean any. */
const NO_INTERFACE = 0x7fff_ffff;
/** Room for a name of an interface (`IF_NAMESIZE` is 16). */
const NAME_ROOM = 64;

/**
 * Reads socket addresses of ip(7) and ipv6(7), and the addresses of control messages, as endpoints in canonical form.
 * It returns the same object for the same address as long as its cache holds it, so a busy peer costs almost nothing.
 */
export class EndpointReader {
  readonly #calls: SystemCalls;
  readonly #scratch: Memory;
  readonly #known = new Map<number | string, Endpoint>();
  #last: Endpoint = { address: '', port: -1 };
  /** The four words and the zone of the last IPv6 address. */
  #lastWords: readonly [number, number, number, number, number] = [-1, -1, -1, -1, -1];
  #lastIpv4 = -1;

  constructor(calls: SystemCalls) {
    this.#calls = calls;
    this.#scratch = new Memory(NAME_ROOM, calls.addressOf);
  }

  /** Reads a `sockaddr_in` or `sockaddr_in6`; undefined if it is neither. */
  readName(view: DataView, offset: number): Endpoint | undefined {
    const family = view.getUint16(offset, true);
    const port = view.getUint16(offset + 2);
    if (family === AF_INET) return this.ipv4(view.getUint32(offset + 4), port);
    if (family === AF_INET6) return this.ipv6(view, offset + 8, view.getUint32(offset + 24, true), port);
    return undefined;
  }

  /** @param address as a number: 127.0.0.1 is 0x7f000001 */
  ipv4(address: number, port: number): Endpoint {
    if (address === this.#lastIpv4 && port === this.#last.port) return this.#last;
    const key = address * 65_536 + port;
    const endpoint =
      this.#known.get(key) ??
      this.#remember(key, {
        address: `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`,
        port,
      });
    this.#last = endpoint;
    this.#lastIpv4 = address;
    this.#lastWords = [-1, -1, -1, -1, -1];
    return endpoint;
  }

  /** Reads the 16 bytes of an IPv6 address. `zone` is the index of an interface; only link-local addresses use it. */
  ipv6(view: DataView, offset: number, zone: number, port: number): Endpoint {
    const first = view.getUint32(offset);
    const second = view.getUint32(offset + 4);
    const third = view.getUint32(offset + 8);
    const fourth = view.getUint32(offset + 12);
    if (first === 0 && second === 0 && third === MAPPED) return this.ipv4(fourth, port);
    const last = this.#lastWords;
    if (
      port === this.#last.port &&
      fourth === last[3] &&
      third === last[2] &&
      second === last[1] &&
      first === last[0] &&
      zone === last[4]
    ) {
      return this.#last;
    }
    const key = `${first},${second},${third},${fourth},${zone},${port}`;
    const endpoint =
      this.#known.get(key) ??
      this.#remember(key, { address: this.#textOfIpv6([first, second, third, fourth], zone), port });
    this.#last = endpoint;
    this.#lastWords = [first, second, third, fourth, zone];
    this.#lastIpv4 = -1;
    return endpoint;
  }

  #remember(key: number | string, endpoint: Endpoint): Endpoint {
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    this.#known.set(key, endpoint);
    return endpoint;
  }

  #textOfIpv6(words: readonly [number, number, number, number], zone: number): string {
    const groups = words.flatMap((word) => [word >>> 16, word & 0xffff]).map((group) => group.toString(16));
    const { address } = new SocketAddress({ address: groups.join(':'), family: 'ipv6' });
    if (zone === 0 || !isLinkLocal(words[0])) return address;
    return `${address}%${this.#calls.if_indextoname(zone, this.#scratch.address) ?? zone}`;
  }
}

/** Whether the first 32 bits are those of an address with a zone: fe80::/10, or multicast ff_1 and ff_2 (RFC 4007). */
function isLinkLocal(firstWord: number): boolean {
  return (
    firstWord >>> 22 === 0xfe80 >>> 6 ||
    (firstWord & 0xff0f_0000) >>> 0 === 0xff01_0000 ||
    (firstWord & 0xff0f_0000) >>> 0 === 0xff02_0000
  );
}

/** An address in the form of the kernel. */
interface Encoded {
  /** The 16 bytes of an IPv6 address; IPv4 is IPv4-mapped. */
  readonly bytes: Uint8Array;
  /** Index of the zone's interface; 0 without a zone, and if this host has no such interface. */
  readonly zone: number;
}

/** Writes addresses into structures of the kernel. */
export class AddressWriter {
  readonly #calls: SystemCalls;
  readonly #known = new Map<string, Encoded>();

  constructor(calls: SystemCalls) {
    this.#calls = calls;
  }

  /** Writes a `sockaddr_in`, or a `sockaddr_in6` for a socket of IPv6. Returns its length in bytes. */
  writeName({ view, bytes }: Memory, offset: number, { address, port }: Endpoint, family: Family): number {
    const encoded = this.#encode(address);
    view.setUint16(offset + 2, port);
    if (family === 4) {
      view.setUint16(offset, AF_INET, true);
      bytes.set(encoded.bytes.subarray(12), offset + 4);
      view.setUint32(offset + 8, 0);
      view.setUint32(offset + 12, 0);
      return 16;
    }
    view.setUint16(offset, AF_INET6, true);
    view.setUint32(offset + 4, 0);
    bytes.set(encoded.bytes, offset + 8);
    view.setUint32(offset + 24, encoded.zone, true);
    return 28;
  }

  /**
   * Writes the source of a datagram: an `in_pktinfo` of ip(7), or an `in6_pktinfo` of ipv6(7) for a socket of IPv6.
   * Returns its length in bytes. The kernel chooses the interface, unless `interface` names one or the address has a
   * zone.
   */
  writeSource(
    { view, bytes }: Memory,
    offset: number,
    { address, interface: name }: { readonly address: string; readonly interface?: string | undefined },
    family: Family,
  ): number {
    const encoded = this.#encode(address);
    const index = name === undefined ? encoded.zone : this.#calls.if_nametoindex(name) || NO_INTERFACE;
    if (family === 4) {
      view.setUint32(offset, index, true);
      bytes.set(encoded.bytes.subarray(12), offset + 4);
      view.setUint32(offset + 8, 0);
      return 12;
    }
    bytes.set(encoded.bytes, offset);
    view.setUint32(offset + 16, index, true);
    return 20;
  }

  #encode(address: string): Encoded {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    const percent = address.indexOf('%');
    const bytes = mapped(addressBytes(address));
    // Not cached: an interface may disappear and come back with another index.
    if (percent >= 0) return { bytes, zone: this.#calls.if_nametoindex(address.slice(percent + 1)) };
    if (this.#known.size >= REMEMBERED) this.#known.clear();
    const encoded = { bytes, zone: 0 };
    this.#known.set(address, encoded);
    return encoded;
  }
}

/** Returns the bytes of an IPv4 address as those of an IPv4-mapped IPv6 address (RFC 4291 section 2.5.5.2). */
function mapped(bytes: Uint8Array): Uint8Array {
  return bytes.length === 16 ? bytes : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);
}
