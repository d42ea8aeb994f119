import type { CapturedDatagram } from '../captured-datagram.js';
import type { Packet } from './packet.js';
import { readAddressFamily, readEnc, readNflog, readPflog, readPktap, readPpi } from './encapsulated.js';
import { readEthernet, readLinuxCooked, readLinuxCooked2, readLlc, readNsh, readPbb, readVlan } from './ethernet.js';
import { readEtherIp, readGre } from './gre.js';
import { IpLayer } from './ip.js';
import { type Cursor, type Layer, type LayerName, notRead } from './layer.js';
import { stepOfLinkType } from './link-type.js';
import { readMpls } from './mpls.js';
import { readCiscoHdlc, readPpp, readPppoe, readPppSerial, readPppWithDirection } from './ppp.js';
import { readUdp } from './udp.js';
import { Reassembly } from './reassembly.js';
import type { Skip, SkipTally } from '../skip-tally.js';

/** The maximum number of headers of one packet: far more than networks put around a datagram. */
const MAX_LAYERS = 100;

/** Finds the datagrams in the packets of a capture, at any depth of tunnels. Packets without a datagram are counted. */
export class PacketDecoder {
  readonly #tally: SkipTally;
  readonly #reassembly: Reassembly;
  readonly #layers: Readonly<Record<Exclude<LayerName, 'udp'>, Layer>>;
  readonly #cursor: Cursor = {
    timeMs: NaN,
    data: new Uint8Array(),
    at: 0,
    end: 0,
    isReassembled: false,
    hasNoLength: false,
    ipBytes: 0,
    from: '',
    to: '',
  };

  /** @param tally Counts the packets that give no datagram. */
  constructor(tally: SkipTally) {
    this.#tally = tally;
    this.#reassembly = new Reassembly(tally);
    this.#layers = {
      'address-family': readAddressFamily,
      'cisco-hdlc': readCiscoHdlc,
      etherip: readEtherIp,
      ethernet: readEthernet,
      gre: readGre,
      ip: new IpLayer(this.#reassembly).read,
      'link-enc': readEnc,
      'link-nflog': readNflog,
      'link-pflog': readPflog,
      'link-pktap': readPktap,
      'link-ppi': readPpi,
      'link-ppp-direction': readPppWithDirection,
      'linux-cooked': readLinuxCooked,
      'linux-cooked-2': readLinuxCooked2,
      llc: readLlc,
      mpls: readMpls,
      nsh: readNsh,
      pbb: readPbb,
      ppp: readPpp,
      'ppp-serial': readPppSerial,
      pppoe: readPppoe,
      vlan: readVlan,
    };
  }

  /**
   * Returns the datagram in a packet, or the one that the packet completes as a fragment. Undefined if there is none.
   */
  decode({ timeMs, linkType, data, wireBytes }: Packet): CapturedDatagram | undefined {
    const cursor = this.#cursor;
    cursor.timeMs = timeMs;
    cursor.data = data;
    cursor.at = 0;
    cursor.end = wireBytes;
    cursor.isReassembled = false;
    const found = this.#read(linkType);
    if (found === undefined || 'data' in found) return found;
    // A header can be incomplete because the capture cut the packet. Only the length on the wire shows that.
    const isCut = found.kind === 'malformed' && data.length < wireBytes && !cursor.isReassembled;
    this.#tally.add(isCut ? { kind: 'cut' } : found);
    return undefined;
  }

  /** Counts the fragments of incomplete datagrams. Call it at the end of the capture. */
  end(): void {
    this.#reassembly.end();
  }

  #read(linkType: number): CapturedDatagram | Skip | undefined {
    let step = stepOfLinkType(linkType);
    for (let layers = 0; typeof step === 'string'; layers += 1) {
      if (step === 'udp') return readUdp(this.#cursor);
      if (layers === MAX_LAYERS) return notRead(`more than ${MAX_LAYERS} headers`);
      step = this.#layers[step](this.#cursor);
    }
    return step;
  }
}
