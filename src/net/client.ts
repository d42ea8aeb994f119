import { checkOneOf, checkTimes, isRecord, shown, wrongArgument } from './arguments.js';
import type { Payload } from './datagram.js';
import { DatagramSocket } from './datagram-socket.js';
import { type Address } from './address/address.js';
import { type Endpoint, familyOf, formatEndpoint } from './address/endpoint.js';
import type { EngineOutgoing, SendBatchOptions, SendFailure } from './engines/engine.js';
import { DatagramError } from './errors.js';
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
   * The local address, of the family of the remote one. Where it is the remote one itself, the client would hear itself:
   * that is `INVALID_ADDRESS`. Default: the kernel chooses address and port, and never that one.
   */
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
    const { localAddress: givenLocal } = options;
    const localAddress = givenLocal === undefined ? ANY : toAddress(givenLocal, 'localAddress');
    const ofLocal = localAddress.host.kind === 'literal' ? familyOf(localAddress.host.address) : undefined;
    const candidates = await resolveDestination(toAddress(address), options.family ?? ofLocal, signal, lookup);
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
   * @throws {DatagramError} `CLOSED` after the end, `QUEUE_FULL`, `RECEIVE_FAILED`, `INVALID_OPTION`; the reason of an
   * aborted `signal`.
   */
  async recv(options: ReceiveOptions = {}): Promise<Uint8Array> {
    const datagram = await this.take(signalOf(options));
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
   * @param more There is no other argument, such as an address: a client sends to one peer.
   * @throws {DatagramError} `INVALID_PAYLOAD`, `INVALID_OPTION`, `TOO_LARGE`, `SEND_FAILED`, `CLOSED`: about this
   * datagram only.
   */
  async send(data: Payload, ...more: readonly never[]): Promise<void> {
    this.#refuseMore('send', more);
    const [failure] = await this.transmit([wrapped(toBytes(data))]);
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Sends many datagrams, in order and each exactly once; resolves to those that the kernel did not take.
   *
   * @throws {DatagramError} `INVALID_PAYLOAD`, `INVALID_OPTION` before anything is sent, `CLOSED`
   */
  async sendBatch(payloads: readonly Payload[], options?: SendBatchOptions): Promise<readonly SendFailure[]> {
    // An address is none of the options.
    if (!isRecord(options) || !('timesMs' in options)) this.#refuseMore('sendBatch', [options]);
    if (!Array.isArray(payloads)) throw wrongArgument('the batch', 'an array of payloads', payloads);
    if (!holds(this.#lastBatch, payloads)) {
      const batch: EngineOutgoing[] = [];
      // Neither `map`, which passes holes over, nor `Array.from`, which takes several times as long.
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

/** Whether these payloads were wrapped before, and nothing became of their memory since. */
function holds(batch: readonly EngineOutgoing[], payloads: readonly Payload[]): boolean {
  if (batch.length !== payloads.length) return false;
  for (let nth = 0; nth < payloads.length; nth += 1) {
    const outgoing = batch[nth];
    if (outgoing === undefined || outgoing.data !== payloads[nth] || outgoing.bytes !== outgoing.data.length)
      return false;
  }
  return true;
}
