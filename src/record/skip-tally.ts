/**
 * Why a packet of a capture is no datagram here:
 *
 * - `not-udp`: it certainly carries no UDP: TCP, ICMP, ARP. A replay of UDP loses nothing by it.
 * - `not-read`: it may carry UDP, within something that is not read: MACsec, ESP, IEEE 802.11
 * - `cut`: the capture has only its beginning (the snap length), and part of the payload is missing
 * - `fragment`: a fragment whose datagram the capture never had all of, or has twice and not the same
 * - `malformed`: its headers contradict themselves or its length
 */
export type SkipKind = 'not-udp' | 'not-read' | 'cut' | 'fragment' | 'malformed';

/** A packet that was skipped. */
export interface Skip {
  readonly kind: SkipKind;
  /**
   * The outermost protocol that ends the reading, as a user knows it: `TCP`, `MACsec`, `EtherType 0x88e5`,
   * `IP protocol 253`, `link type 147`. Only `not-udp` and `not-read` have one.
   */
  readonly name?: string;
}

/** Packets that were skipped for the same reason. */
export interface Skipped extends Skip {
  /** Packets, at least 1. */
  readonly count: number;
  /** Whether there may be datagrams among them: true for all kinds but `not-udp`. */
  readonly mayHideDatagrams: boolean;
}

/** A capture has a few dozen protocols; a hostile file could have a hundred thousand, which are counted together. */
const MAX_NAMES = 1000;

/** Counts the packets that were skipped, by kind and name. */
export class SkipTally {
  readonly #counts = new Map<string, { readonly skip: Skip; count: number }>();

  /** What was skipped: the most packets first. */
  entries(): Skipped[] {
    return [...this.#counts.values()]
      .map(({ skip, count }) => ({ ...skip, count, mayHideDatagrams: skip.kind !== 'not-udp' }))
      .sort((a, b) => b.count - a.count);
  }

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
