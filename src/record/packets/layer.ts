import type { Skip } from '../skip-tally.js';

/** Headers that can be read. Each file of this folder reads some of them. */
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

/** How far a packet is read. One object serves all packets of a capture, one after another. */
export interface Cursor {
  /** Milliseconds since the epoch; NaN where it is not known. */
  timeMs: number;
  /** What was captured of the packet, or a payload put together of its fragments. */
  data: Uint8Array;
  /** Where in `data` the next header begins. It may be too short, or not there at all. */
  at: number;
  /** Where the headers so far say that the packet ends: beyond the end of `data` if the capture has cut it. */
  end: number;
  /** Whether `data` was put together of fragments. */
  isReassembled: boolean;
  /** Whether the innermost IP header leaves its length to be told by the frame. */
  hasNoLength: boolean;
  /** Bytes of the innermost IP packet. */
  ipBytes: number;
  /** The addresses of the innermost IP header. */
  from: string;
  to: string;
}

/** What follows a header; undefined for a fragment that was kept until the others come. */
export type Step = LayerName | Skip | undefined;

/** Reads one header, and moves the cursor behind it. */
export type Layer = (cursor: Cursor) => Step;

export const MALFORMED: Skip = { kind: 'malformed' };

/** For a protocol that certainly carries no UDP. */
export function notUdp(name: string): Skip {
  return { kind: 'not-udp', name };
}

/** For a protocol that may carry UDP, and is not read. */
export function notRead(name: string): Skip {
  return { kind: 'not-read', name };
}

/** Moves the cursor behind a header of so many bytes; whether all of them are there. */
export function advance(cursor: Cursor, bytes: number): boolean {
  cursor.at += bytes;
  return cursor.at <= cursor.data.length;
}

/** A number as protocols write their types: `0x88e5`. */
export function hex4(value: number): string {
  return `0x${value.toString(16).padStart(4, '0')}`;
}
