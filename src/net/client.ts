import { checkOneOf, checkTimes, isRecord, shown, wrongArgument } from './arguments.js';
import type { Payload } from './datagram.js';
import { DatagramSocket } from './datagram-socket.js';
import { type Address } from './address/address.js';
import { type Endpoint, familyOf, formatEndpoint } from './address/endpoint.js';
import type { EngineOutgoing, SendBatchOptions, SendFailure } from './engines/engine.js';
import { DatagramError } from './errors.js';
import { withInterfaceOf } from './address/group.js';
import { refuseLoopbackSource } from './engines/own-address.js';
import { toBytes } from './payload.js';
import { resolveAddress, resolveDestination } from './address/resolve.js';
import {
  type AddressLike,
  checkOptions,
  type DatagramSocketOptions,
  type ReceiveOptions,
  signalOf,
  STRAYS,
  type Strays,
  toAddress,
} from './socket-options.js';

/** Options of {@link openUdpConnection}. */
export interface ClientOptions extends DatagramSocketOptions {
  /**
   * The address to send from. It must have the family of the remote address and differ from it: a client that sends to
   * its own address would receive its own datagrams (`INVALID_ADDRESS`). Default: the kernel chooses address and port.
   */
  readonly localAddress?: AddressLike | undefined;
  /**
   * What happens to strays: datagrams that other addresses than the peer send to the client's port.
   *
   * - `ignore`: the client does not receive them.
   * - `report`: the client emits the event `strays`.
   * - `receive`: the client receives them as if the peer had sent them. Use this with a broadcast or multicast address:
   *   the replies come from the addresses of the single hosts.
   *
   * Default: `ignore`.
   */
  readonly strays?: Strays;
}

/**
 * Opens a connected UDP socket (connect(2)). It sends to one address, the peer, and receives only from that address. It
 * reports ICMP errors, for example "port unreachable", as the event `peerError`.
 *
 * Opening sends nothing, so it succeeds although nobody listens there. A name may have several addresses: the client
 * takes the first one to which this host has a route.
 *
 * @param address The peer, for example `127.0.0.1:8000`, `[::1]:8000` or `example.com:53`. See {@link parseAddress}.
 * @throws {DatagramError} `INVALID_ADDRESS`, `INVALID_OPTION`, `UNSUPPORTED`, `NOT_FOUND`, `OPEN_FAILED`,
 * `BROADCAST_FORBIDDEN`
 * @throws The reason of `options.signal` once it is aborted.
 */
export function openUdpConnection(address: AddressLike, options: ClientOptions = {}): Promise<DatagramClient> {
  return DatagramClient.connect(address, options);
}

/** The kernel chooses address and port. */
const ANY: Address = { host: { kind: 'any' }, port: 0 };

/** A connected socket: sends to one peer and receives from it. {@link openUdpConnection} makes it. */
export class DatagramClient extends DatagramSocket {
  /** The address of the peer. */
  readonly remote: Endpoint;
  /** The batch of the last `sendBatch`, reused when a caller sends the same payloads again. */
  #lastBatch: readonly EngineOutgoing[] = [];

  private constructor(remote: Endpoint, options: ClientOptions) {
    super(options);
    this.remote = remote;
  }

  /** See {@link openUdpConnection}. */
  static async connect(address: AddressLike, given: ClientOptions): Promise<DatagramClient> {
    checkOptions(given);
    checkOneOf('strays', given.strays, STRAYS);
    const { signal, lookup, strays = 'ignore' } = given;
    const { localAddress: givenLocal } = given;
    const localAddress = givenLocal === undefined ? ANY : toAddress(givenLocal, 'localAddress');
    const ofLocal = localAddress.host.kind === 'literal' ? familyOf(localAddress.host.address) : undefined;
    const candidates = await resolveDestination(toAddress(address), given.family ?? ofLocal, signal, lookup);
    for (const [index, remote] of candidates.entries()) {
      try {
        const options = withInterfaceOf(remote, given);
        const [local] = await resolveAddress(localAddress, familyOf(remote.address), signal, lookup);
        refuseLoopbackSource(local, remote, options);
        const client = new DatagramClient(remote, options);
        // A connected socket does not receive from a multicast group, not even the datagrams of its peer.
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
   * Waits for the next datagram, in order of arrival, and returns its payload. It waits for ever if no datagram comes:
   * give a `signal`, for example `AbortSignal.timeout(1000)`.
   *
   * @throws {DatagramError} `CLOSED` once the client is closed and everything queued was read; `QUEUE_FULL` under the
   * overflow policy `fail`; `RECEIVE_FAILED`; `INVALID_OPTION`
   * @throws The reason of `options.signal` once it is aborted.
   */
  async recv(options: ReceiveOptions = {}): Promise<Uint8Array> {
    const datagram = await this.take(signalOf(options));
    if (datagram === undefined) throw new DatagramError('CLOSED', 'cannot receive: the client was closed');
    return datagram.data;
  }

  /**
   * Yields payloads one by one and ends when the client is closed. Leaving the loop does not close the client.
   *
   * @throws {DatagramError} `QUEUE_FULL` under the overflow policy `fail`; `RECEIVE_FAILED`
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, undefined> {
    for (;;) {
      const datagram = await this.take();
      if (datagram === undefined) return;
      yield datagram.data;
    }
  }

  /**
   * Sends one datagram and resolves when the kernel has taken it. UDP does not say whether it arrives. If an ICMP error
   * comes back, the client emits `peerError` later; no other datagram fails because of it.
   *
   * @param data 0 to 65507 bytes to IPv4, 0 to 65527 to IPv6. Do not change it before the promise settles.
   * @param more Must be empty. The client sends to one peer, so an address here is an error.
   * @throws {DatagramError} `INVALID_PAYLOAD`, `INVALID_OPTION`, `TOO_LARGE`, `SEND_FAILED`, `CLOSED`. The error
   * concerns this datagram only.
   */
  async send(data: Payload, ...more: readonly never[]): Promise<void> {
    this.#refuseMore('send', more);
    const [failure] = await this.transmit([wrapped(toBytes(data))]);
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Sends many datagrams, in order and each exactly once.
   *
   * @param payloads Do not change them before the promise settles.
   * @returns The datagrams that the kernel did not take, each with its error; an empty array if it took all.
   * @throws {DatagramError} `INVALID_PAYLOAD`, `INVALID_OPTION` or `CLOSED`. Then no datagram was sent.
   */
  async sendBatch(payloads: readonly Payload[], options?: SendBatchOptions): Promise<readonly SendFailure[]> {
    // A caller may take the second argument for an address. `timesMs` shows that it is really the options.
    if (!isRecord(options) || !('timesMs' in options)) this.#refuseMore('sendBatch', [options]);
    if (!Array.isArray(payloads)) throw wrongArgument('the batch', 'an array of payloads', payloads);
    if (!holds(this.#lastBatch, payloads)) {
      const batch: EngineOutgoing[] = [];
      // `map` skips holes of the array, which are errors. `Array.from` is several times slower than this loop.
      for (let index = 0; index < payloads.length; index += 1) {
        batch.push(wrapped(toBytes(payloads[index] as Payload, index)));
      }
      this.#lastBatch = batch;
    }
    checkTimes(options?.timesMs, payloads.length);
    return this.transmit(this.#lastBatch, options?.timesMs);
  }

  #refuseMore(method: string, [first]: readonly unknown[]): void {
    if (first === undefined) return;
    const why = `a client sends to one peer, ${formatEndpoint(this.remote)}`;
    throw new DatagramError('INVALID_OPTION', `${method} takes no second argument, ${shown(first)}: ${why}`);
  }
}

function wrapped(data: Uint8Array): EngineOutgoing {
  return { data, bytes: data.length };
}

/** Whether the batch was made of these very payloads, and none of them was detached or resized since. */
function holds(batch: readonly EngineOutgoing[], payloads: readonly Payload[]): boolean {
  if (batch.length !== payloads.length) return false;
  for (let nth = 0; nth < payloads.length; nth += 1) {
    const outgoing = batch[nth];
    if (outgoing === undefined || outgoing.data !== payloads[nth] || outgoing.bytes !== outgoing.data.length)
      return false;
  }
  return true;
}
