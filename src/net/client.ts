import {
  type AddressLike,
  DatagramSocket,
  type DatagramSocketOptions,
  type ReceiveOptions,
  toAddress,
  toBytes,
} from './datagram-socket.js';
import { type Address, checkDestination, type Endpoint, familyOf } from './endpoint.js';
import type { SendFailure } from './engine.js';
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
  readonly strays?: 'ignore' | 'report' | 'receive';
}

/**
 * Opens a connected UDP socket: it sends to one address, hears only that one, and learns when it is refused.
 * Nothing is sent by this, and nobody need listen there. Of a name's addresses the first is taken.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`, `INVALID_OPTION`, `NOT_FOUND`, `OPEN_FAILED`; the reason of an aborted `signal`.
 */
export function openUdpConnection(address: AddressLike, options: ClientOptions = {}): Promise<DatagramClient> {
  return DatagramClient.connect(address, options);
}

/** A connected socket: one peer, its answers and its refusals. Made by {@link openUdpConnection}. */
export class DatagramClient extends DatagramSocket {
  /** The address it sends to. */
  readonly remote: Endpoint;

  private constructor(remote: Endpoint, options: ClientOptions) {
    super(options);
    this.remote = remote;
  }

  /** See {@link openUdpConnection}. */
  static async connect(address: AddressLike, options: ClientOptions): Promise<DatagramClient> {
    const [remote] = await resolveAddress(checkDestination(toAddress(address)), options.family);
    const family = familyOf(remote.address);
    const localAddress: Address =
      options.localAddress === undefined ? { host: { kind: 'any' }, port: 0 } : toAddress(options.localAddress);
    const [local] = await resolveAddress(localAddress, family);
    const strays = options.strays ?? 'ignore';
    const client = new DatagramClient(remote, options);
    await client.open(
      { local, remote, dualStack: false, hearStrays: strays !== 'ignore', options },
      strays === 'receive',
    );
    return client;
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
    return this.transmit(payloads.map((data) => ({ data })));
  }
}
