import { uint16, uint32 } from './byte-order.js';
import { LINK_RAW } from './pcap-format.js';

/** Link types, by their numbers in files: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcaplinktype-14.html */
const LINK_NULL = 0;
const LINK_ETHERNET = 1;
const LINK_LOOP = 108;
const LINK_LINUX_COOKED = 113;
const LINK_LINUX_COOKED_2 = 276;
/** Raw IP as well: 12 and 14 are what some systems wrote, 228 and 229 are of one version each. */
const RAW = new Set([LINK_RAW, 12, 14, 228, 229]);

const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
/** Tags of virtual networks: IEEE 802.1Q, 802.1ad, and what was used for the latter before. */
const ETHERTYPES_TAG = new Set([0x8100, 0x88a8, 0x9100]);

/** The numbers of IPv4 and IPv6 as address families of Linux, BSDs, macOS and Windows. */
const ADDRESS_FAMILIES = new Set([2, 10, 23, 24, 28, 30]);

/** Where another protocol than IP stands. */
export const NOT_IP = -1;

/** Whether packets of that link type are read at all. */
export function isReadLinkType(linkType: number): boolean {
  return (
    RAW.has(linkType) ||
    [LINK_NULL, LINK_ETHERNET, LINK_LOOP, LINK_LINUX_COOKED, LINK_LINUX_COOKED_2].includes(linkType)
  );
}

/**
 * Where in a packet the IP header begins: possibly after its end, when it is too short to tell.
 *
 * @param linkType One for which {@link isReadLinkType} holds.
 * @returns A position, or {@link NOT_IP}.
 */
export function findIp(linkType: number, data: Uint8Array): number {
  switch (linkType) {
    case LINK_ETHERNET:
      return findBehindType(data, 12, 14);
    case LINK_LINUX_COOKED:
      return findBehindType(data, 14, 16);
    case LINK_LINUX_COOKED_2:
      return findBehindType(data, 0, 20);
    case LINK_NULL:
    case LINK_LOOP:
      return data.length < 4 || isIpFamily(uint32(data, 0)) ? 4 : NOT_IP;
    default:
      return 0;
  }
}

/** `typeAt` is where the type of what stands at `payloadAt` is; behind a tag stands another type. */
function findBehindType(data: Uint8Array, typeAt: number, payloadAt: number): number {
  if (data.length < payloadAt) return data.length;
  let type = uint16(data, typeAt);
  let at = payloadAt;
  while (ETHERTYPES_TAG.has(type)) {
    if (data.length < at + 4) return data.length;
    type = uint16(data, at + 2);
    at += 4;
  }
  return type === ETHERTYPE_IPV4 || type === ETHERTYPE_IPV6 ? at : NOT_IP;
}

/** The family is in the byte order of the host that captured it, or in that of the network. */
function isIpFamily(bigEndian: number): boolean {
  return ADDRESS_FAMILIES.has(bigEndian) || ((bigEndian & 0xff_ffff) === 0 && ADDRESS_FAMILIES.has(bigEndian >>> 24));
}
