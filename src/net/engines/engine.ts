import type { Arrivals, Datagram, Run } from '../datagram.js';
import type { Endpoint } from '../address/endpoint.js';
import type { Membership } from '../address/membership.js';
import type { DatagramError } from '../errors.js';

/**
 * `node` uses `node:dgram` and runs everywhere. `linux` makes the system calls of Linux through an optional package of koffi.
 */
export type EngineName = 'node' | 'linux';

/**
 * The interface between this module and the kernel. Each engine implements it. Datagrams cross it in batches: if a
 * system call receives or sends many datagrams, they also cross this interface with one call.
 */
export interface Engine {
  readonly name: EngineName;
  /** Whether the engine stops reading when `EngineEvents.room` is 0. The datagrams then wait in the kernel. */
  readonly leavesInKernel: boolean;

  /**
   * Opens a socket: bound, configured and receiving.
   *
   * @throws {DatagramError} `OPEN_FAILED`, `BROADCAST_FORBIDDEN`, `UNSUPPORTED`. Then nothing stays open.
   */
  open(request: OpenRequest, events: EngineEvents): Promise<EngineSocket>;
}

/** The socket to open. Names are looked up already. */
export interface OpenRequest {
  /** The address to bind. With port 0 the kernel chooses the port. */
  readonly local: Endpoint;
  /** Whether the socket also receives and sends IPv4. Only if `local` is `::`. */
  readonly dualStack: boolean;
  /** The peer. The socket then sends only to it, receives only from it, and reports its ICMP errors. */
  readonly remote?: Endpoint | undefined;
  /** With `remote`: also reports datagrams of other addresses, by `EngineEvents.strays`. */
  readonly hearStrays: boolean;
  /**
   * The descriptor of a socket that is bound to `local` already, used instead of a new one. Never with `hearStrays`.
   */
  readonly fd?: number | undefined;
  readonly options: SocketOptions;
}

/** Options that the kernel carries out. An option that an engine does not support is `UNSUPPORTED`. */
export interface SocketOptions {
  /**
   * Size of the kernel's receive buffer in bytes, 1 to 1073741823. It covers payloads and the kernel's overhead for
   * each datagram. The system may grant less, see `kernelBuffers`: the limit of Linux is `net.core.rmem_max`. The linux
   * engine exceeds the limit with the privilege CAP_NET_ADMIN (`SO_RCVBUFFORCE`, socket(7)). Default: 4 MiB, or less if
   * the system limits it.
   */
  readonly recvBufferBytes?: number | undefined;
  /**
   * Size of the kernel's send buffer in bytes, 1 to 1073741823. The limit of Linux is `net.core.wmem_max`; the linux
   * engine exceeds it with CAP_NET_ADMIN (`SO_SNDBUFFORCE`, socket(7)). Default: the system's.
   */
  readonly sendBufferBytes?: number | undefined;
  /**
   * How long to repeat a send that fails because the system has no memory (`ENOBUFS`, `ENOMEM`), in milliseconds from
   * 0. The socket tries again every millisecond. After this time the datagram fails (`SEND_FAILED`). The socket then
   * tries each later datagram of the batch only once, until the kernel takes one. Default: 1000.
   *
   * On most systems libuv hides `ENOBUFS` from the node engine and repeats the send without a limit.
   */
  readonly noMemoryTimeoutMs?: number | undefined;
  /**
   * Time to live (IPv4) and hop limit (IPv6) of sent datagrams, unicast and multicast, 1 to 255. Default: the system's.
   * The node engine cannot set it on a socket of both families (`UNSUPPORTED`).
   */
  readonly ttl?: number | undefined;
  /** Allows sending to broadcast addresses (`SO_BROADCAST`, socket(7)). Default: false. */
  readonly broadcast?: boolean | undefined;
  /**
   * Name of the interface by which multicast and broadcast datagrams leave. Groups of `join` that name no interface are
   * joined on it. Default: the system's routes decide. With the node engine a server of every interface cannot choose
   * the interface of a broadcast: `sendto` fails with `UNSUPPORTED`.
   */
  readonly multicastInterface?: string | undefined;
  /**
   * Multicast groups to receive from. The socket must be bound to every interface or to the group. Several sockets can
   * be bound to one group (`SO_REUSEADDR`). A client receives datagrams that its peer sends to the group. Datagrams of
   * other senders are strays, see `ClientOptions.strays`. Default: none.
   *
   * On Linux a socket also receives from groups that other sockets of the host have joined (`IP_MULTICAST_ALL`, ip(7)).
   * The linux engine prevents that on a socket that joins at least one group.
   */
  readonly join?: readonly Membership[] | undefined;
  /** Differentiated services code point of sent datagrams, 0 to 63 (RFC 2474). Default: 0. Linux engine only. */
  readonly dscp?: number | undefined;
  /**
   * Forbids fragmentation of sent datagrams (`IP_MTU_DISCOVER`, ip(7)). A datagram that is too large for this host's
   * interface fails with `TOO_LARGE`; if a router finds it too large, the event `peerError` says so. Default: false.
   * Linux engine only.
   */
  readonly dontFragment?: boolean | undefined;
  /**
   * Name of the only interface to receive from and send through (`SO_BINDTODEVICE`, socket(7)). Default: every
   * interface. Linux engine only.
   */
  readonly bindDevice?: string | undefined;
  /**
   * Lets several sockets of one user bind the same address and port, if all of them set this. The kernel gives all
   * datagrams of one peer to the same socket (`SO_REUSEPORT`, socket(7)). Default: false. Linux engine only.
   */
  readonly reusePort?: boolean | undefined;
  /**
   * Shares the address and port with other sockets that set it, too (`SO_REUSEADDR`, socket(7)). Groups and broadcasts reach all
   * of them. Of the datagrams to one host, on Linux the socket that was bound last gets all and the others get none. Has no
   * effect with port 0. Default: only a socket bound to a group shares its address.
   */
  readonly reuseAddress?: boolean | undefined;
  /**
   * Makes `kernelDropped` of the linux engine exact and its receiving slower. Without this option the kernel coalesces
   * datagrams, and counts coalesced datagrams that it drops as one. Default: false. The node engine is always exact.
   */
  readonly exactDrops?: boolean | undefined;
}

/** The functions by which an engine reports to the owner of its socket. It calls none of them after `close`. */
export interface EngineEvents {
  /** How many datagrams the owner has room for. An engine that can leave datagrams in the kernel reads no more. */
  room(): number;
  /** Datagrams arrived: at least one, in order. The owner may keep the array. */
  datagrams(batch: Datagram[]): void;
  /** Whether the owner wants runs. An engine that has runs then calls `runs`, but may call `datagrams` too. */
  takesRuns(): boolean;
  /**
   * Whether the owner uses the payloads of the next runs only until `runs` returns, or until the engine has sent them. Then the
   * engine may give views of memory that its next call overwrites. Default: it never does.
   */
  borrowsRuns?(): boolean;
  /** Runs arrived: at least one, in order, within the room of the owner. The owner may keep the array. */
  runs(runs: Run[]): void;
  /**
   * Counts of datagrams that arrived. If the owner gives this function, an engine that need not copy payloads calls it
   * instead of `datagrams`, and does not ask for `room`.
   */
  readonly arrivals?: ((arrivals: Arrivals) => void) | undefined;
  /** Datagrams arrived from other addresses than the peer. */
  strays(batch: Datagram[]): void;
  /** An ICMP error came back for a datagram sent earlier. */
  peerError(error: DatagramError): void;
  /** The system had no memory to receive with. No datagram is lost, and the engine tries again. */
  receiveError(error: DatagramError): void;
  /** The socket can receive no more. */
  failed(error: DatagramError): void;
}

/** A datagram to send. */
export interface EngineOutgoing {
  readonly data: Uint8Array;
  /**
   * The length of `data` when the caller gave it. If the length differs at the time of sending, the memory was detached
   * or resized, and the datagram fails. Default: the length at the time of sending.
   */
  readonly bytes?: number;
  /**
   * If `data` holds several datagrams one after another: the size of each in bytes. The last one may be smaller. Default:
   * `data` is one datagram.
   */
  readonly segmentBytes?: number | undefined;
  /** The destination. Left out on a socket with a peer. */
  readonly remote?: Endpoint;
  /** The address to send from, see `Outgoing`. The port is ignored. */
  readonly local?: Endpoint | undefined;
}

/** Options of `sendBatch`. */
export interface SendBatchOptions {
  /**
   * An array that receives the sending time of each datagram, at the place of the datagram. It must be at least as long
   * as the batch. The time is the moment before the system call that sent the datagram, in milliseconds since the
   * epoch, by the clock of `Datagram.timeMs`. The linux engine asks the kernel, once in a millisecond on average: then the
   * time is that at which the kernel gave the first datagram of the call to the device. Datagrams of one system call have
   * the same time. The place of a datagram that the kernel did not take stays unchanged. Default: times are not measured.
   */
  readonly timesMs?: Float64Array | undefined;
}

/** A datagram of a batch that the kernel did not take. */
export interface SendFailure {
  /** Its place in the batch, from 0. Several datagrams of one run have the same place. */
  readonly index: number;
  /** Why it was not sent, for example `TOO_LARGE` or `SEND_FAILED`. */
  readonly error: DatagramError;
}

/** What `EngineSocket.send` may return if the kernel took the whole batch at once. Then the caller need not wait. */
export const ALL_TAKEN: Promise<readonly SendFailure[]> = Promise.resolve([]);

/**
 * Sizes of the kernel's buffers as granted, in bytes. Compare them with `recvBufferBytes` and `sendBufferBytes`: Linux
 * itself reports twice the size (socket(7)), and this is half of that.
 */
export interface KernelBuffers {
  /** Size of the receive buffer. */
  readonly recvBytes: number;
  /** Size of the send buffer. */
  readonly sendBytes: number;
}

/**
 * A feature that a socket of the linux engine lacks, because the kernel refused the option that this feature needs. The
 * rest of the socket works.
 */
export interface MissingFeature {
  /** Name of the option, for example `SO_TIMESTAMPNS` (socket(7)). */
  readonly option: string;
  /** Code of the system's error, for example `ENOPROTOOPT`. */
  readonly code: string;
  /** The consequence in words, for example `the time of a datagram is the time when it was read`. */
  readonly consequence: string;
}

/** An open socket of an engine. */
export interface EngineSocket {
  /** The address to which the socket is bound, with the port that the kernel chose. */
  readonly local: Endpoint;
  /** The buffers that the kernel granted. */
  readonly buffers: KernelBuffers;
  /** The features that the socket lacks. Empty with the node engine. */
  readonly missing: readonly MissingFeature[];

  /**
   * Gives datagrams to the kernel, in order and each exactly once. When the kernel has taken or refused all of them,
   * the promise resolves to the refused ones. It never rejects.
   *
   * A send can fail with the ICMP error of an earlier datagram. The engine then reports that error as an event and
   * sends the datagram again. ICMP errors for the datagrams of this batch may come after the promise settled.
   *
   * @param timesMs see `SendBatchOptions`
   */
  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]>;

  /**
   * Tells the engine that the owner has room again. An engine that stopped reading goes on. No effect after `close`.
   */
  resume(): void;

  /**
   * Reports the ICMP errors and the datagrams that the kernel holds now; datagrams only as far as the owner has room.
   * Does not wait for new datagrams, but may report some that arrive meanwhile.
   *
   * @param withinMs Stops reading after this many milliseconds, but reads at least once. Default: stops when as much
   * was read as the kernel's buffer holds.
   */
  poll(withinMs?: number): Promise<void>;

  /**
   * How many datagrams for this socket the kernel dropped since it was opened, mostly because its buffer was full.
   * Undefined where the system does not tell. The first call of the node engine takes about a millisecond. After
   * `close` it returns the final count, with the node engine only if it was called before.
   */
  kernelDropped(): number | undefined;

  /** Whether the kernel may have dropped more datagrams than the last `kernelDropped` said. */
  readonly kernelDropsAreLowerBound: boolean;

  /** Closes the socket. Datagrams of `send` that the kernel has not taken fail with `CLOSED`. May be called twice. */
  close(): Promise<void>;
}

/** Whether the socket shares its address. With port 0 the system might choose a port that is in use. */
export function reusesAddress({ local, options }: OpenRequest): boolean {
  return options.reuseAddress === true && local.port !== 0;
}
