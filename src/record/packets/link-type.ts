import { type LayerName, notRead, type Step } from './layer.js';

/** Packets that begin with their IPv4 or IPv6 header (LINKTYPE_RAW). */
export const LINK_RAW = 101;

/** Link types that are read: https://www.ietf.org/archive/id/draft-ietf-opsawg-pcaplinktype-14.html */
const LAYERS: ReadonlyMap<number, LayerName> = new Map([
  [0, 'address-family'],
  [1, 'ethernet'],
  [9, 'ppp'],
  // Raw IP: some systems wrote 12 or 14. 228 is IPv4 only, 229 is IPv6 only.
  [12, 'ip'],
  [14, 'ip'],
  [50, 'ppp-serial'],
  [51, 'pppoe'],
  [100, 'llc'],
  [LINK_RAW, 'ip'],
  [104, 'cisco-hdlc'],
  [108, 'address-family'],
  [109, 'link-enc'],
  [113, 'linux-cooked'],
  [117, 'link-pflog'],
  [166, 'link-ppp-direction'],
  [192, 'link-ppi'],
  [204, 'link-ppp-direction'],
  [219, 'mpls'],
  [228, 'ip'],
  [229, 'ip'],
  [239, 'link-nflog'],
  [258, 'link-pktap'],
  [276, 'linux-cooked-2'],
]);

/** Names of other link types, for messages. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [6, 'Token Ring'],
  [7, 'ARCNET'],
  [8, 'SLIP'],
  [10, 'FDDI'],
  [105, 'IEEE 802.11'],
  [107, 'Frame Relay'],
  [119, 'IEEE 802.11'],
  [123, 'ATM'],
  [127, 'IEEE 802.11'],
  [138, 'IP over IEEE 1394'],
  [163, 'IEEE 802.11'],
  [187, 'Bluetooth'],
  [189, 'USB'],
  [195, 'IEEE 802.15.4'],
  [201, 'Bluetooth'],
  [215, 'IEEE 802.15.4'],
  [220, 'USB'],
  [227, 'CAN'],
  [230, 'IEEE 802.15.4'],
  [242, 'IP over InfiniBand'],
  [247, 'InfiniBand'],
  [249, 'USB'],
  [251, 'Bluetooth'],
  [252, 'Wireshark upper PDU'],
  [253, 'netlink'],
  [271, 'vsock'],
  [283, 'IEEE 802.15.4'],
]);

/** Returns the first header of packets of a link type. */
export function stepOfLinkType(linkType: number): Step {
  const layer = LAYERS.get(linkType);
  if (layer !== undefined) return layer;
  const name = NAMES.get(linkType);
  return notRead(name === undefined ? `link type ${linkType}` : `${name} (link type ${linkType})`);
}
