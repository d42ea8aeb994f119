import type { Skip } from '../skip-tally.js';

/** The kinds of headers that are read. Each file of this folder reads some of them. */
export type LayerName =
  | 'address-family'
  | 'cisco-hdlc'
  | 'etherip'
  | 'ethernet'
  | 'gre'
  | 'ip'
  | 'link-enc'
  | 'link-nflog'
  | 'link-pflog'
  | 'link-pktap'
  | 'link-ppi'
  | 'link-ppp-direction'
  | 'linux-cooked'
  | 'linux-cooked-2'
  | 'llc'
  | 'mpls'
  | 'nsh'
  | 'pbb'
  | 'ppp'
  | 'ppp-serial'
  | 'pppoe'
  | 'udp'
  | 'vlan';

/** The position in a packet that is being read. One object is used for all packets of a capture. */
export interface Cursor {
  /** Milliseconds since the epoch. NaN if the capture has no time. */
  timeMs: number;
  /** The captured bytes of the packet, or a payload that was reassembled from fragments. */
  data: Uint8Array;
  /** Offset of the next header in `data`. The header may be cut off there, or missing. */
  at: number;
  /**
   * End of the packet, according to the headers so far. It is beyond the end of `data` if the capture cut the packet.
   */
  end: number;
  /** Whether `data` was reassembled from fragments. */
  isReassembled: boolean;
  /** Whether the innermost IP header has the length 0: then the frame tells the length. */
  hasNoLength: boolean;
  /** Bytes of the innermost IP packet. */
  ipBytes: number;
  /** The source address of the innermost IP header. */
  from: string;
  /** The destination address of the innermost IP header. */
  to: string;
}

/** The next header, or why the packet is skipped. Undefined for a fragment that waits for the others. */
export type Step = LayerName | Skip | undefined;

/** Reads one header, and moves the cursor behind it. */
export type Layer = (cursor: Cursor) => Step;

export const MALFORMED: Skip = { kind: 'malformed' };

/** For a protocol that carries no UDP. */
export function notUdp(name: string): Skip {
  return { kind: 'not-udp', name };
}

/** For a protocol that may carry UDP, but cannot be read. */
export function notRead(name: string): Skip {
  return { kind: 'not-read', name };
}

/** Moves the cursor by `bytes`. Returns whether all of them were captured. */
export function advance(cursor: Cursor, bytes: number): boolean {
  cursor.at += bytes;
  return cursor.at <= cursor.data.length;
}

/** Formats a number as `0x88e5`. */
export function hex4(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
