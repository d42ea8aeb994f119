/**
 * Why a packet of a capture is no datagram here:
 *
 * - `not-ip`: another protocol than IPv4 and IPv6, such as ARP
 * - `not-udp`: IP, and another protocol than UDP
 * - `link-type`: it was captured on an interface of a link type that is not read
 * - `cut`: the capture has only its beginning (the snap length), and part of the payload is missing
 * - `fragment`: a fragment whose datagram the capture never had all of, or has twice and not the same
 * - `malformed`: its headers contradict themselves or its length
 */
export type SkipReason = 'not-ip' | 'not-udp' | 'link-type' | 'cut' | 'fragment' | 'malformed';

/** Counts the packets that were skipped. Checksums are not looked at: senders leave them to the network card. */
export class SkipTally {
  readonly #counts = new Map<SkipReason, number>();

  /** Packets by reason; a reason that there was none for is absent. */
  get counts(): ReadonlyMap<SkipReason, number> {
    return this.#counts;
  }

  add(reason: SkipReason, packets = 1): void {
    if (packets > 0) this.#counts.set(reason, (this.#counts.get(reason) ?? 0) + packets);
  }
}
