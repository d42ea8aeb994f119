import {
  type AddressLike,
  checkOneOf,
  checkOptions,
  DatagramSocket,
  type DatagramSocketOptions,
  type ReceiveOptions,
  STRAYS,
  type Strays,
  toAddress,
  toBytes,
} from './datagram-socket.js';
import { type Address, checkDestination, type Endpoint, familyOf } from './endpoint.js';
import type { EngineOutgoing, SendFailure } from './engine.js';
import { DatagramError } from './errors.js';
import { resolveAddress } from './resolve.js';

/** Options of {@link openUdpConnection}. */
export interface ClientOptions extends DatagramSocketOptions {
  /** The local address, of the family of the remote one. Default: the kernel chooses address and port. */
  readonly localAddress?: AddressLike | undefined;
  /**
   * Datagrams that other addresses send to the client's port: not heard (`ignore`), an event `strays` (`report`), or
   * received like the peer's own (`receive`), as answers to a broadcast or multicast question are. Default: `ignore`.
   */
  readonly strays?: Strays;
}

/**
 * Opens a connected UDP socket: it sends to one address, hears only that one, and learns when it is refused.
 * Nothing is sent by this, and nobody need listen there. Of a name's addresses the first that this host has a route to
 * is taken.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`, `INVALID_OPTION`, `NOT_FOUND`, `OPEN_FAILED`, `BROADCAST_FORBIDDEN`; the
 * reason of an aborted `signal`.
 */
export function openUdpConnection(address: AddressLike, options: ClientOptions = {}): Promise<DatagramClient> {
  return DatagramClient.connect(address, options);
}

/** The kernel chooses address and port. */
const ANY: Address = { host: { kind: 'any' }, port: 0 };

/** A connected socket: one peer, its answers and its refusals. Made by {@link openUdpConnection}. */
export class DatagramClient extends DatagramSocket {
  /** The address it sends to. */
  readonly remote: Endpoint;
  /** What is sent over and over, in the same memory, need not be wrapped anew each time. */
  #lastBatch: readonly EngineOutgoing[] = [];

  private constructor(remote: Endpoint, options: ClientOptions) {
    super(options);
    this.remote = remote;
  }

  /** See {@link openUdpConnection}. */
  static async connect(address: AddressLike, options: ClientOptions): Promise<DatagramClient> {
    checkOptions(options);
    checkOneOf('strays', options.strays, STRAYS);
    const { signal, lookup, strays = 'ignore' } = options;
    const localAddress = options.localAddress === undefined ? ANY : toAddress(options.localAddress);
    const ofLocal = localAddress.host.kind === 'literal' ? familyOf(localAddress.host.address) : undefined;
    const wanted = checkDestination(toAddress(address));
    const candidates = await resolveAddress(wanted, options.family ?? ofLocal, signal, lookup);
    for (const [index, remote] of candidates.entries()) {
      try {
        const [local] = await resolveAddress(localAddress, familyOf(remote.address), signal, lookup);
        const client = new DatagramClient(remote, options);
        // Connected, it would not even hear what the peer sends to a group.
        const hearStrays = strays !== 'ignore' || (options.join ?? []).length > 0;
        await client.open({ local, remote, dualStack: false, hearStrays, options }, { strays });
        return client;
      } catch (error) {
        const isLast = index === candidates.length - 1;
        if (isLast || !(error instanceof DatagramError)) throw error;
      }
    }
    throw new DatagramError('OPEN_FAILED', 'no address to connect to');
  }

  /**
   * The payload of the next datagram from the peer, in order of arrival.
   *
   * @throws {DatagramError} `CLOSED` after the end, `QUEUE_FULL`, `RECEIVE_FAILED`; the reason of an aborted `signal`.
   */
  async recv({ signal }: ReceiveOptions = {}): Promise<Uint8Array> {
    const datagram = await this.take(signal);
    if (datagram === undefined) throw new DatagramError('CLOSED', 'cannot receive: the client was closed');
    return datagram.data;
  }

  /** Payloads one by one, until the client is closed. Leaving the loop leaves the client open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, undefined> {
    for (;;) {
      const datagram = await this.take();
      if (datagram === undefined) return;
      yield datagram.data;
    }
  }

  /**
   * Sends one datagram; settles when the kernel has taken it. That says nothing about its arrival: a refusal of it comes
   * later, as an event `peerError`, and never fails another datagram.
   *
   * @param data 0 to 65507 bytes to IPv4, 65527 to IPv6; left unchanged by the caller until the promise settles.
   * @throws {DatagramError} `TOO_LARGE`, `SEND_FAILED`, `CLOSED`: about this datagram only.
   */
  async send(data: Uint8Array | string): Promise<void> {
    const [failure] = await this.sendBatch([toBytes(data)]);
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Sends many datagrams, in order and each exactly once; resolves to those that the kernel did not take.
   *
   * @throws {DatagramError} `CLOSED`
   */
  sendBatch(payloads: readonly Uint8Array[]): Promise<readonly SendFailure[]> {
    if (!holds(this.#lastBatch, payloads)) this.#lastBatch = payloads.map((data) => ({ data }));
    return this.transmit(this.#lastBatch);
  }
}

function holds(batch: readonly EngineOutgoing[], payloads: readonly Uint8Array[]): boolean {
  if (batch.length !== payloads.length) return false;
  for (let nth = 0; nth < payloads.length; nth += 1) {
    if (batch[nth]?.data !== payloads[nth]) return false;
  }
  return true;
}
