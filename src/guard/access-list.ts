import { BlockList, isIP } from 'node:net';
import { canonicalAddress, type Endpoint, familyOf } from '../net/index.js';

/** A block of addresses: all whose first `prefixBits` bits are those of `address`. */
export interface Cidr {
  readonly address: string;
  /** 0 to 32 for IPv4, to 128 for IPv6. */
  readonly prefixBits: number;
}

/** Bits that an IPv4-mapped IPv6 address has before the IPv4 address (RFC 4291 section 2.5.5.2). */
const MAPPED_BITS = 96;

/**
 * Reads `192.0.2.0/24`, `2001:db8::/32`, or one address. An IPv4-mapped block is that block of IPv4.
 *
 * @returns undefined if it is neither
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

/** Addresses that are remembered at once. */
const MAX_KNOWN = 4096;

/** Whose datagrams are taken: nobody's that is denied and, where somebody is allowed, only theirs. */
export class AccessList {
  readonly #allow: BlockList | undefined;
  readonly #deny: BlockList | undefined;
  /** What was found out lately, by address: a block list takes microseconds, and a peer sends many datagrams. */
  readonly #known = new Map<string, boolean>();

  constructor(allow: readonly Cidr[], deny: readonly Cidr[]) {
    this.#allow = blockList(allow);
    this.#deny = blockList(deny);
  }

  /** Whether it lets everybody in. */
  get open(): boolean {
    return this.#allow === undefined && this.#deny === undefined;
  }

  admits({ address }: Endpoint): boolean {
    const known = this.#known.get(address);
    if (known !== undefined) return known;
    const [bare = ''] = address.split('%');
    const family = familyOf(bare) === 6 ? 'ipv6' : 'ipv4';
    const allowed = this.#allow?.check(bare, family) ?? true;
    const admitted = allowed && !(this.#deny?.check(bare, family) ?? false);
    if (this.#known.size >= MAX_KNOWN) this.#known.clear();
    this.#known.set(address, admitted);
    return admitted;
  }
}

function blockList(blocks: readonly Cidr[]): BlockList | undefined {
  if (blocks.length === 0) return undefined;
  const list = new BlockList();
  for (const { address, prefixBits } of blocks) {
    list.addSubnet(address, prefixBits, familyOf(address) === 6 ? 'ipv6' : 'ipv4');
  }
  return list;
}
