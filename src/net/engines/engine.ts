import type { Arrivals, Datagram, Run } from '../datagram.js';
import type { Endpoint } from '../address/endpoint.js';
import type { Membership } from '../address/membership.js';
import type { DatagramError } from '../errors.js';

/** `node` is `node:dgram`, and runs everywhere; `linux` makes the system calls of Linux itself. */
export type EngineName = 'node' | 'linux';

/**
 * The narrow waist between this module and the kernel. Batches cross it in both directions, so that an engine which
 * makes one system call for many datagrams pays for one call of this interface too.
 */
export interface Engine {
  readonly name: EngineName;
  /** Whether it leaves in the kernel what its owner has no room for, see `EngineEvents.room`. */
  readonly leavesInKernel: boolean;

  /**
   * Opens a socket, bound and configured, receiving from now on.
   *
   * @throws {DatagramError} `OPEN_FAILED`, `BROADCAST_FORBIDDEN`, `UNSUPPORTED`; nothing stays open then.
   */
  open(request: OpenRequest, events: EngineEvents): Promise<EngineSocket>;
}

/** What to open: a literal local address, resolved by the caller. */
export interface OpenRequest {
  /** Where to bind; port 0 lets the kernel choose. */
  readonly local: Endpoint;
  /** Whether a socket on `::` takes IPv4 too. Only with `::`. */
  readonly dualStack: boolean;
  /** Connects the socket: it then sends only there, and hears only that peer and its ICMP errors. */
  readonly remote?: Endpoint | undefined;
  /** For a connected socket: also hear what other addresses send to its port, by `EngineEvents.strays`. */
  readonly hearStrays: boolean;
  /** A descriptor of a socket that is bound to `local` already: it is adopted instead. Never with `hearStrays`. */
  readonly fd?: number | undefined;
  readonly options: SocketOptions;
}

/** Options of the socket itself. */
export interface SocketOptions {
  /**
   * Kernel receive buffer asked for, in bytes of payload and overhead. The system may grant less: on Linux
   * `net.core.rmem_max` is the limit, beyond which only the linux engine gets it, with the privilege CAP_NET_ADMIN
   * (`SO_RCVBUFFORCE`, socket(7)). Default: 4 MiB, or what the system allows.
   */
  readonly recvBufferBytes?: number | undefined;
  /** Kernel send buffer asked for, in bytes, with the limit `net.core.wmem_max` (`SO_SNDBUFFORCE`). Default: the system's. */
  readonly sendBufferBytes?: number | undefined;
  /**
   * How long a datagram is offered again, every millisecond, to a system that has no memory to send it with (`ENOBUFS`,
   * `ENOMEM`), before it fails (`SEND_FAILED`): milliseconds from 0. After it, the others of its batch are offered once
   * each, until one is taken. Default: 1000. The node engine hears of `ENOBUFS` on few systems: libuv itself offers the
   * datagram again, for as long as it takes.
   */
  readonly noMemoryTimeoutMs?: number | undefined;
  /**
   * Time to live and hop limit of what is sent, unicast and multicast, 1 to 255. Default: the system's.
   * The node engine cannot set it on a socket of both families (`UNSUPPORTED`).
   */
  readonly ttl?: number | undefined;
  /** Permission to send to broadcast addresses. Default: false. */
  readonly broadcast?: boolean | undefined;
  /**
   * Name of the interface that multicast and broadcast leave from, and on which groups are joined that name none. Default:
   * the system's routing decides. The node engine cannot choose it for broadcast on a server of every interface
   * (`UNSUPPORTED`, from `sendto`).
   */
  readonly multicastInterface?: string | undefined;
  /**
   * Multicast groups to hear, on a socket of every interface or bound to the one group, which it then shares with other
   * sockets that are bound there (SO_REUSEADDR). A client hears in groups its peer, and others by `strays`. Default: none;
   * what other sockets of the host have joined is heard all the same on Linux (`IP_MULTICAST_ALL`, ip(7)), but not by a
   * socket of the linux engine that has joined any.
   */
  readonly join?: readonly Membership[] | undefined;
  /** Differentiated services code point of what is sent, 0 to 63 (RFC 2474). Default: 0. Linux engine. */
  readonly dscp?: number | undefined;
  /**
   * Forbids that what is sent is fragmented, here or on its way: a datagram too large for the path fails (`TOO_LARGE`),
   * or is told by an event when a router says so. Default: false. Linux engine.
   */
  readonly dontFragment?: boolean | undefined;
  /** Name of the one interface to receive from and send through (`SO_BINDTODEVICE`, socket(7)). Default: any. Linux engine. */
  readonly bindDevice?: string | undefined;
  /**
   * Lets other sockets of this user that ask for it too be bound to the same address and port: each peer is heard by one
   * of them (`SO_REUSEPORT`, socket(7)). Default: false. Linux engine.
   */
  readonly reusePort?: boolean | undefined;
  /**
   * Has every dropped datagram counted, at the price of a lower rate of receiving: without it, the linux engine counts
   * datagrams that the kernel coalesced and dropped together as one. Default: false. The node engine always does.
   */
  readonly exactDrops?: boolean | undefined;
}

/** What an engine tells its owner. Nothing is delivered after the socket's `close`. */
export interface EngineEvents {
  /** How many datagrams the owner has room for. An engine that can leave them in the kernel reads no more than that. */
  room(): number;
  /** Datagrams that arrived, in order, at least one. The array is the owner's. */
  datagrams(batch: Datagram[]): void;
  /** Whether an engine that has runs is to give them to `runs` instead of `datagrams`. It may give either. */
  takesRuns(): boolean;
  /** Runs that arrived, in order, at least one, and no more datagrams than there is room for. The array is the owner's. */
  runs(runs: Run[]): void;
  /** If given, an engine that can spare itself the payloads calls it instead of `datagrams`, whatever room there is. */
  readonly arrivals?: ((arrivals: Arrivals) => void) | undefined;
  /** Datagrams that came from other addresses than the connected one. */
  strays(batch: Datagram[]): void;
  /** An ICMP error for something sent earlier. */
  peerError(error: DatagramError): void;
  /** The system had no memory to receive with. What has arrived is still there, and the engine asks for it again. */
  receiveError(error: DatagramError): void;
  /** The socket can receive no more. */
  failed(error: DatagramError): void;
}

/** A datagram to send; `remote` is left out on a connected socket. */
export interface EngineOutgoing {
  readonly data: Uint8Array;
  /**
   * Its length when it was handed over. A view has another one once its memory was detached or shrunk: it is refused then.
   * Default: its length when it is sent.
   */
  readonly bytes?: number;
  readonly remote?: Endpoint;
  /** The address to send from, on a socket of several; its port is the socket's, whatever is written here. */
  readonly local?: Endpoint | undefined;
}

/** Options of sending a batch. */
export interface SendBatchOptions {
  /**
   * Where to write when each datagram of the batch was given to the kernel, in milliseconds since the epoch by the clock of
   * {@link Datagram}: the moment before the system call that took it. The datagrams of one system call have one time; those
   * that the kernel did not take have none, and their places are left alone. At least as long as the batch. Default: the
   * clock is not read.
   */
  readonly timesMs?: Float64Array | undefined;
}

/** One datagram of a batch that the kernel did not take. */
export interface SendFailure {
  /** Its place in the batch, from 0. */
  readonly index: number;
  readonly error: DatagramError;
}

/** Sizes of the kernel's buffers in bytes as `setsockopt(2)` counts them: Linux doubles for its own use, and that is taken out again. */
export interface KernelBuffers {
  readonly recvBytes: number;
  readonly sendBytes: number;
}

/** An open socket of an engine. */
export interface EngineSocket {
  /** The bound address, with the port that the kernel chose. */
  readonly local: Endpoint;
  /** What the kernel granted. */
  readonly buffers: KernelBuffers;

  /**
   * Gives datagrams to the kernel, in order and each exactly once; resolves when it has taken or refused every one.
   * An ICMP error that was pending is reported as an event and the datagram it hit is sent again; an ICMP error for
   * one of these datagrams may come after the promise settled. Never rejects.
   *
   * @param timesMs see `SendBatchOptions`
   */
  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]>;

  /** Tells an engine that stopped reading for want of room that there is some again. Nothing happens after `close`. */
  resume(): void;

  /**
   * Has everything reported that the kernel knows now, ICMP errors and the datagrams in its buffer, as far as there is
   * room for them; waits for nothing to arrive. What keeps arriving meanwhile may or may not be among it.
   *
   * @param withinMs stops reading after that time, though there may be more; something is read in any case. Default: no
   * limit, but as much as fits the kernel's buffer ends it.
   */
  poll(withinMs?: number): Promise<void>;

  /**
   * How many datagrams for this socket the kernel dropped so far, for the most part because its buffer was full; undefined
   * where that cannot be known. Finding the socket, the first time, takes about a millisecond. After `close` it is what
   * it was then, if it was asked for before.
   */
  kernelDropped(): number | undefined;

  /** Whether there may have been more than `kernelDropped` told last. */
  readonly kernelDropsAreLowerBound: boolean;

  /** Closes the socket; what was handed to `send` and not yet taken is given up. Twice is fine. */
  close(): Promise<void>;
}
