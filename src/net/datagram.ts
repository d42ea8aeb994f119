/** One end of a conversation, always in canonical form: two endpoints are the same peer if both fields are equal. */
export interface Endpoint {
  /** A literal: dotted IPv4 or compressed lower-case IPv6, link-local with its zone (`fe80::1%eth0`), never IPv4-mapped. */
  readonly address: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** One datagram as it arrived: whole, never joined with another. */
export interface Datagram {
  /** The payload, 0 to 65527 bytes. It belongs to the receiver and is never overwritten. */
  readonly data: Uint8Array;
  /** Who sent it. UDP does not prove this: any host that can spoof addresses can claim to be this one. */
  readonly remote: Endpoint;
  /** The address it was sent to, where the engine can know it; undefined on a wildcard bind of the node engine. */
  readonly local: Endpoint | undefined;
  /** When it was received: milliseconds since the epoch, with fractions down to about a microsecond. */
  readonly timeMs: number;
}

/**
 * Datagrams that one peer sent and that arrived together, in one piece of memory, so that they can be sent on as one. The
 * linux engine gives what the kernel coalesced (`UDP_GRO`, udp(7)); all others are runs of one datagram.
 */
export interface Run {
  /** The payloads, one after another. The memory belongs to the receiver and is never overwritten. */
  readonly bytes: Uint8Array;
  /** Bytes of each payload; the last may be shorter. 0 for one empty datagram. */
  readonly segmentBytes: number;
  /** How many datagrams, from 1. */
  readonly count: number;
  /** See {@link Datagram}; so are the following. */
  readonly remote: Endpoint;
  readonly local: Endpoint | undefined;
  readonly timeMs: number;
}

/** Datagrams that one peer sent and that arrived together, told of without their payloads. */
export interface Arrivals {
  readonly remote: Endpoint;
  /** How many, from 1. */
  readonly count: number;
  /** Bytes of all payloads, of the smallest and of the largest. */
  readonly bytes: number;
  readonly smallest: number;
  readonly largest: number;
  /** See {@link Datagram}. */
  readonly timeMs: number;
}

/**
 * The payload of a datagram to send: text, which is sent as UTF-8, or memory, which is sent as its bytes: a `Buffer`, any
 * typed array or `DataView`, an `ArrayBuffer` or a `SharedArrayBuffer`.
 */
export type Payload = string | ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** A datagram on its way out of an unconnected socket. */
export interface Outgoing<Data extends Payload = Uint8Array> {
  readonly data: Data;
  readonly remote: Endpoint;
  /**
   * The address to send from, on a socket bound to every interface: an answer leaves from the address that was asked if
   * this is the `local` of the datagram it answers. The port is the socket's in any case, and an address to which many
   * were asked, multicast or broadcast, is left out of account. Default: the kernel chooses by its routes.
   * The node engine cannot, and refuses another address than the bound one (`UNSUPPORTED`).
   */
  readonly local?: Endpoint | undefined;
}
