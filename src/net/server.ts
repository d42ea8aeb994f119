import type { Arrivals, Datagram, Outgoing, Payload } from './datagram.js';
import {
  checkFunction,
  checkRange,
  checkRecord,
  checkTimes,
  isEndpoint,
  isRecord,
  noEndpoint,
  wrongArgument,
} from './arguments.js';
import { DatagramSocket } from './datagram-socket.js';
import { checkDestination, checkFamily } from './address/address.js';
import { type Endpoint, type Family, familyOf } from './address/endpoint.js';
import { canonicalAddress } from './address/literal.js';
import { checkPort } from './address/parse.js';
import type { EngineOutgoing, SendBatchOptions, SendFailure } from './engines/engine.js';
import { DatagramError, systemCode } from './errors.js';
import { toBytes } from './payload.js';
import { endpointOf, type Lookup, resolveAddress, resolveDestination } from './address/resolve.js';
import {
  type AddressLike,
  checkOptions,
  type DatagramSocketOptions,
  type ReceiveOptions,
  signalOf,
  toAddress,
} from './socket-options.js';

/** Options of {@link startUdpServer}. */
export interface ServerOptions extends DatagramSocketOptions {
  /**
   * Descriptor of a UDP socket that this process inherited, as from systemd (sd_listen_fds(3)). It is adopted, and closed
   * at the end, instead of a new one; the address must be the one that it is bound to (`OPEN_FAILED`), and `[::]` stands
   * for both families. Default: a socket is bound. Node engine.
   */
  readonly fd?: number | undefined;
  /**
   * Called with what arrives, for whoever only counts it: no payload is kept, and nothing is queued, so that the server can
   * receive nothing but its end. With the linux engine that is several times as fast. Default: datagrams are queued.
   */
  readonly onArrivals?: ((arrivals: Arrivals) => void) | undefined;
}

/**
 * Binds a UDP socket and receives from then on: a datagram sent after the promise settled is not lost for want of a
 * receiver. `*:8000` and `[::]:8000` take IPv4 and IPv6 on one socket, or IPv4 alone on a host without IPv6.
 *
 * @throws {DatagramError} `INVALID_ADDRESS`, `INVALID_OPTION`, `NOT_FOUND`, `OPEN_FAILED`,
 * `UNSUPPORTED`; the reason of an aborted `signal`.
 */
export function startUdpServer(address: AddressLike, options: ServerOptions = {}): Promise<DatagramServer> {
  return DatagramServer.start(address, options);
}

/** Options of one sending. */
export interface SendOptions {
  /** The address to send from, see {@link Outgoing}. */
  readonly local?: Endpoint | undefined;
}

/** Equal to no address that could be given. */
const NOWHERE: Endpoint = { address: '', port: -1 };

/** A bound socket: hears everybody who sends to its address, and sends to anybody. Made by {@link startUdpServer}. */
export class DatagramServer extends DatagramSocket {
  /** What it can send to: one family, or both if undefined. */
  #family: Family | undefined;
  #lookup: Lookup | undefined;
  #lastRemote = { given: NOWHERE, checked: NOWHERE };
  #lastLocal = { given: NOWHERE, checked: NOWHERE };

  /** See {@link startUdpServer}. */
  static async start(address: AddressLike, options: ServerOptions): Promise<DatagramServer> {
    checkOptions(options);
    checkRange('fd', options.fd, 1, 0x7fff_ffff);
    checkFunction('onArrivals', options.onArrivals);
    const wanted = toAddress(address);
    const everywhere = wanted.host.kind === 'any' && options.family === undefined;
    const candidates: Endpoint[] = [...(await resolveAddress(wanted, options.family, options.signal, options.lookup))];
    if (everywhere) candidates.push({ address: '0.0.0.0', port: wanted.port });
    for (const [index, local] of candidates.entries()) {
      const server = new DatagramServer(options);
      try {
        const dualStack = everywhere && local.address === '::';
        const request = { local, dualStack, hearStrays: false, fd: options.fd, options };
        await server.open(request, { onArrivals: options.onArrivals });
        server.#lookup = options.lookup;
        server.#family = dualStack ? undefined : familyOf(local.address);
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
   * @throws {DatagramError} `CLOSED` after the end, `QUEUE_FULL`, `RECEIVE_FAILED`, `INVALID_OPTION`; the reason of an
   * aborted `signal`.
   */
  async recvfrom(options: ReceiveOptions = {}): Promise<Datagram> {
    const datagram = await this.take(signalOf(options));
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
   * @param address Of the server's family, or of either if it is bound to every interface; a name is looked up each time.
   * @throws {DatagramError} `INVALID_PAYLOAD`, `INVALID_ADDRESS`, `INVALID_OPTION`, `NOT_FOUND`, `TOO_LARGE`,
   * `SEND_FAILED`, `BROADCAST_FORBIDDEN`, `CLOSED`: about this datagram only.
   */
  async sendto(data: Payload, address: AddressLike, options: SendOptions = {}): Promise<void> {
    checkRecord('options', options);
    const bytes = toBytes(data);
    const [failure] = await this.transmit(this.#addressed(bytes, address, this.#checkLocal(options.local)));
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Sends many datagrams, in order and each exactly once; resolves to those that the kernel did not take.
   *
   * @throws {DatagramError} `INVALID_PAYLOAD`, `INVALID_ADDRESS`, `INVALID_OPTION` before anything is sent, `CLOSED`.
   */
  async sendBatch(
    batch: readonly Outgoing<Payload>[],
    options: SendBatchOptions = {},
  ): Promise<readonly SendFailure[]> {
    if (!Array.isArray(batch)) throw wrongArgument('the batch', 'an array of { data, remote, local }', batch);
    checkRecord('options', options);
    checkTimes(options.timesMs, batch.length);
    const wrapped: EngineOutgoing[] = [];
    // Neither `map`, which passes holes over, nor `Array.from`, which takes several times as long.
    for (let index = 0; index < batch.length; index += 1) wrapped.push(this.#wrap(batch[index] as never, index));
    return this.transmit(wrapped, options.timesMs);
  }

  #wrap(outgoing: Outgoing<Payload>, index: number): EngineOutgoing {
    if (!isRecord(outgoing)) throw wrongArgument(`datagram ${index}`, '{ data, remote, local }', outgoing);
    const { remote, local } = outgoing;
    const data = toBytes(outgoing.data, index);
    return { data, bytes: data.length, remote: this.#check(remote), local: this.#checkLocal(local) };
  }

  /** Only a name has to wait: all else is sent in the order of the calls. */
  #addressed(
    data: Uint8Array,
    address: AddressLike,
    local: Endpoint | undefined,
  ): EngineOutgoing[] | Promise<EngineOutgoing[]> {
    const to = (remote: Endpoint): EngineOutgoing[] => [{ data, bytes, remote, local }];
    const bytes = data.length;
    if (isEndpoint(address)) return to(this.#check(address));
    const wanted = checkDestination(toAddress(address));
    const remote = endpointOf(wanted, this.#family);
    if (remote !== undefined) return to(remote);
    return resolveDestination(wanted, this.#family, undefined, this.#lookup).then(([first]) => to(first));
  }

  /** Answers go to the peer just heard, over and over: the last one checked is remembered. */
  #check(remote: Endpoint | undefined): Endpoint {
    const { given, checked } = this.#lastRemote;
    if (remote?.port === given.port && remote.address === given.address) return checked;
    if (!isEndpoint(remote)) throw noEndpoint(remote, 'remote');
    const endpoint = this.#canonical(remote);
    checkDestination({ host: { kind: 'literal', address: endpoint.address }, port: endpoint.port });
    this.#lastRemote = { given: { ...remote }, checked: endpoint };
    return endpoint;
  }

  /** Answers leave from the address that was asked, which is mostly one and the same. */
  #checkLocal(local: Endpoint | null | undefined): Endpoint | undefined {
    if (local === undefined) return undefined;
    const { given, checked } = this.#lastLocal;
    if (local?.port === given.port && local.address === given.address) return checked;
    if (!isEndpoint(local)) throw noEndpoint(local, 'local');
    const endpoint = this.#canonical(local);
    this.#lastLocal = { given: { ...local }, checked: endpoint };
    return endpoint;
  }

  #canonical(endpoint: Endpoint): Endpoint {
    const address = canonicalAddress(endpoint.address);
    const port = checkPort(endpoint.port);
    checkFamily({ host: { kind: 'literal', address }, port }, this.#family);
    return { address, port };
  }
}

/** Whether binding failed because the host has no IPv6. */
function lacksIpv6(error: unknown): boolean {
  const code = error instanceof DatagramError ? systemCode(error.cause) : undefined;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EINVAL';
}
