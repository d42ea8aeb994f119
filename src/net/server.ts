import type { Datagram, Outgoing } from './datagram.js';
import {
  type AddressLike,
  DatagramSocket,
  type DatagramSocketOptions,
  type ReceiveOptions,
  toAddress,
  toBytes,
  toEndpoint,
} from './datagram-socket.js';
import { checkDestination, type Endpoint, familyOf } from './endpoint.js';
import type { SendFailure } from './engine.js';
import { DatagramError, systemCode } from './errors.js';
import { resolveAddress } from './resolve.js';

/** Options of {@link startUdpServer}. */
export type ServerOptions = DatagramSocketOptions;

/**
 * Binds a UDP socket and receives from then on: a datagram sent after the promise settled is not lost for want of a
 * receiver. `*:8000` and `[::]:8000` take IPv4 and IPv6 on one socket, or IPv4 alone on a host without IPv6.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`, `INVALID_OPTION`, `NOT_FOUND`, `OPEN_FAILED`; the reason of an aborted `signal`.
 */
export function startUdpServer(address: AddressLike, options: ServerOptions = {}): Promise<DatagramServer> {
  return DatagramServer.start(address, options);
}

/** A bound socket: hears everybody who sends to its address, and sends to anybody. Made by {@link startUdpServer}. */
export class DatagramServer extends DatagramSocket {
  #checkedRemote: Endpoint | undefined;

  /** See {@link startUdpServer}. */
  static async start(address: AddressLike, options: ServerOptions): Promise<DatagramServer> {
    const wanted = toAddress(address);
    const everywhere = wanted.host.kind === 'any' && options.family === undefined;
    const candidates: Endpoint[] = [...(await resolveAddress(wanted, options.family))];
    if (everywhere) candidates.push({ address: '0.0.0.0', port: wanted.port });
    for (const [index, local] of candidates.entries()) {
      const server = new DatagramServer(options);
      try {
        await server.open({ local, dualStack: everywhere, hearStrays: false, options });
        return server;
      } catch (error) {
        const isLast = index === candidates.length - 1;
        if (isLast || (everywhere && !lacksIpv6(error))) throw error;
      }
    }
    throw new DatagramError('OPEN_FAILED', 'no address to bind');
  }

  /**
   * The next datagram, in order of arrival.
   *
   * @throws {DatagramError} `CLOSED` after the end, `QUEUE_FULL`, `RECEIVE_FAILED`; the reason of an aborted `signal`.
   */
  async recvfrom({ signal }: ReceiveOptions = {}): Promise<Datagram> {
    const datagram = await this.take(signal);
    if (datagram === undefined) throw new DatagramError('CLOSED', 'cannot receive: the server was closed');
    return datagram;
  }

  /** Datagrams one by one, until the server is closed. Leaving the loop leaves the server open. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, undefined> {
    for (;;) {
      const datagram = await this.take();
      if (datagram === undefined) return;
      yield datagram;
    }
  }

  /**
   * Sends one datagram; settles when the kernel has taken it. That says nothing about its arrival.
   *
   * @param data 0 to 65507 bytes to IPv4, 65527 to IPv6; left unchanged by the caller until the promise settles.
   * @throws {DatagramError} `TOO_LARGE`, `SEND_FAILED`, `INVALID_ADDRESS`, `NOT_FOUND`, `CLOSED`: about this datagram only.
   */
  async sendto(data: Uint8Array | string, address: AddressLike): Promise<void> {
    const remote = await this.#remoteOf(address);
    const [failure] = await this.transmit([{ data: toBytes(data), remote }]);
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Sends many datagrams, in order and each exactly once; resolves to those that the kernel did not take.
   *
   * @throws {DatagramError} `INVALID_ADDRESS` before anything is sent, `CLOSED`.
   */
  async sendBatch(batch: readonly Outgoing[]): Promise<readonly SendFailure[]> {
    return this.transmit(batch.map(({ data, remote }) => ({ data, remote: this.#check(remote) })));
  }

  async #remoteOf(address: AddressLike): Promise<Endpoint> {
    if (typeof address === 'object' && 'address' in address) return this.#check(address);
    const wanted = checkDestination(toAddress(address));
    const [remote] = await resolveAddress(wanted, familyOf(this.local.address) === 4 ? 4 : undefined);
    return this.#check(remote);
  }

  /** Answers go to the peer just heard, over and over: the last one checked is remembered. */
  #check(remote: Endpoint): Endpoint {
    if (remote === this.#checkedRemote) return remote;
    const checked = toEndpoint(remote);
    if (checked.port === 0) throw new DatagramError('INVALID_ADDRESS', 'cannot send to port 0');
    this.#checkedRemote = remote;
    return checked;
  }
}

/** Whether binding failed because the host has no IPv6. */
function lacksIpv6(error: unknown): boolean {
  const code = error instanceof DatagramError ? systemCode(error.cause) : undefined;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EINVAL';
}
