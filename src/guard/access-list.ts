import { BlockList, isIP } from 'node:net';
import { canonicalAddress } from '../net/address/literal.js';
import { type Endpoint, familyOf } from '../net/index.js';
import { ValueError } from '../net/errors.js';

/** A block of addresses. They share their first `prefixBits` bits with `address`. */
export interface Cidr {
  readonly address: string;
  /** 0 to 32 for IPv4, 0 to 128 for IPv6. */
  readonly prefixBits: number;
}

/** An IPv4-mapped IPv6 address has 96 bits before the IPv4 address (RFC 4291 section 2.5.5.2). */
const MAPPED_BITS = 96;

/**
 * Reads `192.0.2.0/24`, `2001:db8::/32`, or one address. An IPv4-mapped block becomes the IPv4 block: `::ffff:192.0.2.0/120`
 * is `192.0.2.0/24`.
 *
 * @returns undefined for any other text, and for an address with a zone
 */
export function parseCidr(text: string): Cidr | undefined {
  const [literal = '', bits, ...more] = text.split('/');
  const family = isIP(literal);
  if (family === 0 || literal.includes('%') || more.length > 0) return undefined;
  const totalBits = family === 4 ? 32 : 128;
  const prefixBits = bits === undefined ? totalBits : Number(bits);
  if (bits !== undefined && (!/^(0|[1-9]\d{0,2})$/.test(bits) || prefixBits > totalBits)) return undefined;
  const address = family === 6 && /^fe[89ab]/i.test(literal) ? literal : canonicalAddress(literal);
  const mapped = family === 6 && familyOf(address) === 4;
  if (!mapped) return { address, prefixBits };
  return prefixBits < MAPPED_BITS ? undefined : { address, prefixBits: prefixBits - MAPPED_BITS };
}

/** How many results the access list keeps in memory. */
const MAX_KNOWN = 4096;

/**
 * Decides by the sender's address whether a server takes a datagram. A denied address is never taken. Without allowed blocks,
 * every other address is taken. With allowed blocks, only addresses in them are.
 */
export class AccessList {
  readonly #allow: Blocks | undefined;
  readonly #deny: Blocks | undefined;
  /** Recent results by address. A search in the blocks takes microseconds, and a peer sends many datagrams. */
  readonly #known = new Map<string, boolean>();

  constructor(allow: readonly Cidr[], deny: readonly Cidr[]) {
    this.#allow = allow.length > 0 ? new Blocks(allow) : undefined;
    this.#deny = deny.length > 0 ? new Blocks(deny) : undefined;
  }

  /** Whether there is no block at all, so that every address is taken. */
  get open(): boolean {
    return this.#allow === undefined && this.#deny === undefined;
  }

  /** Whether datagrams from this address are taken. The port does not matter. */
  admits({ address }: Endpoint): boolean {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    const allowed = this.#allow?.include(address) ?? true;
    const admitted = allowed && !(this.#deny?.include(address) ?? false);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(address, admitted);
    return admitted;
  }
}

/**
 * Blocks of both families, in one list for each. In a common list, Node would treat IPv4 addresses as IPv4-mapped, and
 * `::/0` would include them.
 */
class Blocks {
  readonly #lists = { 4: new BlockList(), 6: new BlockList() };

  constructor(blocks: readonly Cidr[]) {
    for (const { address, prefixBits } of blocks) {
      const family = familyOf(address);
      this.#lists[family].addSubnet(address, prefixBits, `ipv${family}`);
    }
  }

  include(address: string): boolean {
    const family = familyOf(address);
    const [withoutZone = ''] = address.split('%');
    return this.#lists[family].check(withoutZone, `ipv${family}`);
  }
}

/** Reads a block of addresses, as {@link parseCidr} does. @throws {ValueError} for any other text */
export function parseAddressBlock(text: string): Cidr {
  const block = parseCidr(text);
  if (block === undefined) {
    throw new ValueError('An address block is 192.0.2.0/24, 2001:db8::/32, or one address.');
  }
  return block;
}
