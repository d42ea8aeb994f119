/**
 * An IP address and a port. udpcat always writes the address in one canonical form, so two endpoints are the same peer
 * if both fields are equal.
 */
export interface Endpoint {
  /**
   * A literal address in canonical form: `192.0.2.1`, or `2001:db8::1` in lower case and compressed (RFC 5952). A
   * link-local address has its zone: `fe80::1%eth0`. An IPv4-mapped address (`::ffff:192.0.2.1`) is written as IPv4.
   */
  readonly address: string;
  /** 0 to 65535. */
  readonly port: number;
}

/** A received datagram. UDP keeps the bounds of datagrams: the payload is complete and holds nothing of another one. */
export interface Datagram {
  /** The payload, 0 to 65527 bytes. It belongs to the reader: the socket never overwrites it. */
  readonly data: Uint8Array;
  /** The sender's address. UDP does not prove it: a host can forge the source address of a datagram. */
  readonly remote: Endpoint;
  /**
   * The address to which the datagram was sent, with the socket's port. The linux engine always tells it. The node
   * engine does not know it on a socket of every interface (`*:8000`, `0.0.0.0:8000`): there it is undefined.
   */
  readonly local: Endpoint | undefined;
  /** The time of reception: milliseconds since the epoch, with fractions down to about a microsecond. */
  readonly timeMs: number;
}

/**
 * Datagrams of one peer that arrived together, in one piece of memory. The kernel can coalesce datagrams of equal size
 * (`UDP_GRO`, udp(7)); the linux engine hands them out like that. With the node engine each run holds one datagram.
 */
export interface Run {
  /** The payloads, one after another. The memory belongs to the reader: the socket never overwrites it. */
  readonly bytes: Uint8Array;
  /** The size of each payload in bytes. The last payload may be shorter. 0 for one empty datagram. */
  readonly segmentBytes: number;
  /** The number of datagrams, at least 1. */
  readonly count: number;
  /** The sender's address, see {@link Datagram}. */
  readonly remote: Endpoint;
  /** The address to which the datagrams were sent, see {@link Datagram}. */
  readonly local: Endpoint | undefined;
  /** The time of reception in milliseconds since the epoch, see {@link Datagram}. */
  readonly timeMs: number;
}

/** A run to send from a {@link DatagramServer}. */
export interface OutgoingRun extends Outgoing {
  /**
   * The size of each payload of `data` in bytes. The last payload may be smaller. Default: `data` is one payload.
   */
  readonly segmentBytes?: number | undefined;
}

/** Counts of datagrams of one peer that arrived together. See `ServerOptions.onArrivals`. */
export interface Arrivals {
  /** The sender's address, see {@link Datagram}. */
  readonly remote: Endpoint;
  /** The number of datagrams, at least 1. */
  readonly count: number;
  /** Bytes of all payloads together. */
  readonly bytes: number;
  /** Bytes of the smallest payload. */
  readonly smallest: number;
  /** Bytes of the largest payload. */
  readonly largest: number;
  /** The time of reception in milliseconds since the epoch, see {@link Datagram}. */
  readonly timeMs: number;
  /**
   * The payloads, one after another, each of `largest` bytes; the last may have fewer. The socket overwrites them after the
   * call of `onArrivals`: copy what is needed later.
   */
  readonly payloads: Uint8Array;
}

/**
 * A payload to send. A string is sent as UTF-8. A `Buffer`, a typed array, a `DataView`, an `ArrayBuffer` and a
 * `SharedArrayBuffer` are sent as their bytes, without a copy in JavaScript.
 */
export type Payload = string | ArrayBufferView | ArrayBuffer | SharedArrayBuffer;

/** A datagram to send from a {@link DatagramServer}. */
export interface Outgoing<Data extends Payload = Uint8Array> {
  /** The payload: 0 to 65507 bytes to IPv4, 0 to 65527 to IPv6. */
  readonly data: Data;
  /** The destination, port 1 to 65535. */
  readonly remote: Endpoint;
  /**
   * The address to send from, on a socket of every interface. Give the `local` of the request, and the response leaves
   * from the address to which the client sent. The port is ignored: it is always the socket's own. A multicast or
   * broadcast address cannot be a source, so it is ignored. Default: the kernel chooses the address by its routes.
   *
   * The node engine cannot choose the source: another address than the bound one is `UNSUPPORTED`.
   */
  readonly local?: Endpoint | undefined;
}
