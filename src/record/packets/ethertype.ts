import { hex4, type LayerName, notRead, notUdp, type Step } from './layer.js';

/** EtherTypes that are read: https://www.iana.org/assignments/ieee-802-numbers */
const LAYERS: ReadonlyMap<number, LayerName> = new Map([
  [0x0800, 'ip'],
  [0x86dd, 'ip'],
  // VLAN tags: IEEE 802.1Q, 802.1ad, and older numbers for the latter.
  [0x8100, 'vlan'],
  [0x88a8, 'vlan'],
  [0x9100, 'vlan'],
  [0x9200, 'vlan'],
  [0x9300, 'vlan'],
  [0x8847, 'mpls'],
  [0x8848, 'mpls'],
  [0x8864, 'pppoe'],
  // PPP as PPTP and Cisco's GRE carry it.
  [0x880b, 'ppp'],
  [0x88e7, 'pbb'],
  [0x894f, 'nsh'],
  // LLC in frames longer than 1500 bytes.
  [0x8870, 'llc'],
  // Ethernet in another protocol (transparent Ethernet bridging).
  [0x6558, 'ethernet'],
]);

/** EtherTypes of protocols that carry no UDP. */
const WITHOUT_UDP: ReadonlyMap<number, string> = new Map([
  [0x0806, 'ARP'],
  [0x0842, 'Wake-on-LAN'],
  [0x2001, 'NHRP'],
  [0x22f0, 'AVTP'],
  [0x6003, 'DECnet'],
  [0x8035, 'RARP'],
  [0x809b, 'AppleTalk'],
  [0x80f3, 'AppleTalk ARP'],
  [0x8137, 'IPX'],
  [0x8808, 'Ethernet flow control'],
  [0x8809, 'LACP'],
  [0x8863, 'PPPoE discovery'],
  [0x888e, 'EAPOL'],
  [0x8892, 'PROFINET'],
  [0x88a2, 'ATA over Ethernet'],
  [0x88a4, 'EtherCAT'],
  [0x88b8, 'GOOSE'],
  [0x88cc, 'LLDP'],
  [0x88d9, 'LLTD'],
  [0x88e1, 'HomePlug AV'],
  [0x88f5, 'MVRP'],
  [0x88f7, 'PTP'],
  [0x8902, 'CFM'],
  [0x8906, 'FCoE'],
  [0x8914, 'FCoE initialization'],
  [0x8915, 'RoCE'],
  [0x893a, 'IEEE 1905.1'],
  [0x9000, 'Ethernet loopback'],
]);

/** EtherTypes of protocols that may carry UDP, but cannot be read. */
const NOT_READ: ReadonlyMap<number, string> = new Map([
  [0x22f3, 'TRILL'],
  [0x4305, 'B.A.T.M.A.N.'],
  [0x88bb, 'LWAPP'],
  [0x88e5, 'MACsec'],
  [0x8903, 'FabricPath'],
  [0x8926, 'VN-Tag'],
  [0x892f, 'HSR'],
  [0x893f, 'IEEE 802.1BR'],
]);

/**
 * Returns the header that follows an EtherType.
 *
 * @param numbering Name for an unknown number in messages, for example `GRE protocol`.
 */
export function stepOfEtherType(type: number, numbering = 'EtherType'): Step {
  const layer = LAYERS.get(type);
  if (layer !== undefined) return layer;
  const other = WITHOUT_UDP.get(type);
  return other === undefined ? notRead(NOT_READ.get(type) ?? `${numbering} ${hex4(type)}`) : notUdp(other);
}
