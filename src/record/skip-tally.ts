/**
 * Why a packet of a capture gives no datagram:
 *
 * - `not-udp`: it carries another protocol, for example TCP, ICMP or ARP. A replay of UDP loses nothing.
 * - `not-read`: it may carry UDP inside a protocol that udpcat cannot read, for example MACsec, ESP or IEEE 802.11.
 * - `cut`: the capture kept only the beginning of the packet (the snap length). Part of the payload is missing.
 * - `fragment`: it is a fragment, and others of its datagram are missing, or contradict it.
 * - `malformed`: its headers contradict each other, or its length.
 */
export type SkipKind = 'not-udp' | 'not-read' | 'cut' | 'fragment' | 'malformed';

/** Why one packet was skipped. */
export interface Skip {
  readonly kind: SkipKind;
  /**
   * The outermost protocol that is not read, by its usual name or number: `TCP`, `MACsec`, `EtherType 0x88e5`,
   * `IP protocol 253`, `link type 147`. Only `not-udp` and `not-read` have a name.
   */
  readonly name?: string;
}

/** Packets that were skipped for the same reason. */
export interface Skipped extends Skip {
  /** Number of packets, at least 1. */
  readonly count: number;
  /** Whether some of them may be datagrams: true for all kinds but `not-udp`. */
  readonly mayHideDatagrams: boolean;
}

/**
 * The maximum number of names that are counted by themselves, so that a hostile file cannot fill the memory. Others
 * count together.
 */
const MAX_NAMES = 1000;

/** Counts skipped packets by kind and name. */
export class SkipTally {
  readonly #counts = new Map<string, { readonly skip: Skip; count: number }>();

  /** Returns the counts, the largest first. */
  entries(): Skipped[] {
    return [...this.#counts.values()]
      .map(({ skip, count }) => ({ ...skip, count, mayHideDatagrams: skip.kind !== 'not-udp' }))
      .sort((a, b) => b.count - a.count);
  }

  /** Counts packets. @param packets their number; 0 and less count nothing */
  add(skip: Skip, packets = 1): void {
    if (packets <= 0) return;
    const key = `${skip.kind} ${skip.name ?? ''}`;
    const known = this.#counts.get(key);
    if (known !== undefined) known.count += packets;
    else if (skip.name === undefined || skip.name === OTHERS || this.#counts.size < MAX_NAMES) {
      this.#counts.set(key, { skip, count: packets });
    } else this.add({ kind: skip.kind, name: OTHERS }, packets);
  }
}

const OTHERS = 'other protocols';
