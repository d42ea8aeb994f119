import type { Arrivals, Datagram, Outgoing, OutgoingRun, Payload } from './datagram.js';
import { checkReceiver, type Receiver } from './receiver.js';
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
import { joiningItself, refuseOtherInterface } from './address/group.js';
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
   * Descriptor, 1 to 2147483647, of a bound UDP socket that this process inherited, for example from systemd
   * (sd_listen_fds(3)). The server uses it and closes it at the end. The address must be the one to which the
   * descriptor is bound (`OPEN_FAILED`); `[::]` stands for both families. Only with the node engine. Default: the
   * server binds a new socket.
   */
  readonly fd?: number | undefined;
  /**
   * Called with counts of the datagrams that arrive. The server then keeps no payloads and no queue: methods that read
   * get no datagram and only wait for the end. With the linux engine this counts several times as many datagrams a
   * second. Default: datagrams are queued for a reader.
   */
  readonly onArrivals?: ((arrivals: Arrivals) => void) | undefined;
  /**
   * Takes the datagrams as soon as they arrive. The server then has no queue: methods that read get no datagram and only wait
   * for the end. Not with `onArrivals`. Default: datagrams are queued for a reader.
   */
  readonly receiver?: Receiver | undefined;
}

/**
 * Binds a UDP socket. When the promise resolves, the socket already receives.
 *
 * @param address Where to bind: `127.0.0.1:8000`, `8000` (loopback), `localhost:8000`. `*:8000` and `[::]:8000` bind
 * every interface, for IPv4 and IPv6 on one socket; on a host without IPv6 for IPv4 alone. With port 0 the kernel
 * chooses the port, see `local`. A server that is bound to a multicast group joins it, on the interface of its zone, of
 * `multicastInterface`, or the system's choice. Of a name's addresses the first that can be bound is used.
 * @throws {DatagramError} `INVALID_ADDRESS`, `INVALID_OPTION`, `UNSUPPORTED`, `NOT_FOUND`, `OPEN_FAILED`
 * @throws The reason of `options.signal` once it is aborted.
 */
export function startUdpServer(address: AddressLike, options: ServerOptions = {}): Promise<DatagramServer> {
  return DatagramServer.start(address, options);
}

/** Options of {@link DatagramServer.sendto}. */
export interface SendOptions {
  /** The address to send from, see {@link Outgoing}. Default: the kernel chooses it. */
  readonly local?: Endpoint | undefined;
}

/** An endpoint that no argument can equal, because it is not valid. */
const NOWHERE: Endpoint = { address: '', port: -1 };

/** A bound socket: receives from every sender and sends to any address. {@link startUdpServer} makes it. */
export class DatagramServer extends DatagramSocket {
  /** The family of addresses that it can send to; undefined for both. */
  #family: Family | undefined;
  #lookup: Lookup | undefined;
  #multicastInterface: string | undefined;
  #lastRemote = { given: NOWHERE, checked: NOWHERE };
  #lastLocal = { given: NOWHERE, checked: NOWHERE };

  /** See {@link startUdpServer}. */
  static async start(address: AddressLike, given: ServerOptions): Promise<DatagramServer> {
    checkOptions(given);
    checkRange('fd', given.fd, 1, 0x7fff_ffff);
    checkFunction('onArrivals', given.onArrivals);
    checkReceiver(given.receiver);
    const wanted = toAddress(address);
    const everywhere = wanted.host.kind === 'any' && given.family === undefined;
    const candidates: Endpoint[] = [...(await resolveAddress(wanted, given.family, given.signal, given.lookup))];
    if (everywhere) candidates.push({ address: '0.0.0.0', port: wanted.port });
    for (const [index, candidate] of candidates.entries()) {
      const { local, options } =
        given.fd === undefined ? joiningItself(candidate, given) : { local: candidate, options: given };
      const server = new DatagramServer(options);
      try {
        const dualStack = everywhere && local.address === '::';
        const request = { local, dualStack, hearStrays: false, fd: options.fd, options };
        await server.open(request, { onArrivals: options.onArrivals, receiver: options.receiver });
        server.#lookup = options.lookup;
        server.#multicastInterface = options.multicastInterface;
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
   * Waits for the next datagram, in order of arrival, and returns it.
   *
   * @throws {DatagramError} `CLOSED` once the server is closed and everything queued was read; `QUEUE_FULL` under the
   * overflow policy `fail`; `RECEIVE_FAILED`; `INVALID_OPTION`
   * @throws The reason of `options.signal` once it is aborted.
   */
  async recvfrom(options: ReceiveOptions = {}): Promise<Datagram> {
    const datagram = await this.take(signalOf(options));
    if (datagram === undefined) throw new DatagramError('CLOSED', 'cannot receive: the server was closed');
    return datagram;
  }

  /**
   * Yields datagrams one by one and ends when the server is closed. Leaving the loop does not close the server.
   *
   * @throws {DatagramError} `QUEUE_FULL` under the overflow policy `fail`; `RECEIVE_FAILED`
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Datagram, undefined> {
    for (;;) {
      const datagram = await this.take();
      if (datagram === undefined) return;
      yield datagram;
    }
  }

  /**
   * Sends one datagram and resolves when the kernel has taken it. UDP does not say whether it arrives.
   *
   * @param data 0 to 65507 bytes to IPv4, 0 to 65527 to IPv6. Do not change it before the promise settles.
   * @param address The destination. Its family must be the server's; a server of every interface (`*:8000`) sends to
   * both. A name is looked up at each call.
   * @throws {DatagramError} `INVALID_PAYLOAD`, `INVALID_ADDRESS`, `INVALID_OPTION`, `UNSUPPORTED`, `NOT_FOUND`,
   * `TOO_LARGE`, `SEND_FAILED`, `BROADCAST_FORBIDDEN`, `CLOSED`. The error concerns this datagram only.
   */
  async sendto(data: Payload, address: AddressLike, options: SendOptions = {}): Promise<void> {
    checkRecord('options', options);
    const bytes = toBytes(data);
    const [failure] = await this.transmit(this.#addressed(bytes, address, this.#checkLocal(options.local)));
    if (failure !== undefined) throw failure.error;
  }

  /**
   * Sends many datagrams, in order and each exactly once.
   *
   * @param batch Do not change the payloads before the promise settles.
   * @returns The datagrams that the kernel did not take, each with its error; an empty array if it took all.
   * @throws {DatagramError} `INVALID_PAYLOAD`, `INVALID_ADDRESS`, `INVALID_OPTION` or `CLOSED`. Then no datagram was
   * sent.
   */
  async sendBatch(
    batch: readonly Outgoing<Payload>[],
    options: SendBatchOptions = {},
  ): Promise<readonly SendFailure[]> {
    if (!Array.isArray(batch)) throw wrongArgument('the batch', 'an array of { data, remote, local }', batch);
    checkRecord('options', options);
    checkTimes(options.timesMs, batch.length);
    const wrapped: EngineOutgoing[] = [];
    // `map` skips holes of the array, which are errors. `Array.from` is several times slower than this loop.
    for (let index = 0; index < batch.length; index += 1) wrapped.push(this.#wrap(batch[index] as never, index));
    return this.transmit(wrapped, options.timesMs);
  }

  /**
   * Sends runs, in order and each datagram exactly once. For programs that pass on what they received: addresses must be those
   * of received datagrams, because they are not checked. The linux engine gives a run to the kernel as one message.
   *
   * @returns The datagrams that the kernel did not take, each with the place of its run and its error.
   * @throws {DatagramError} `CLOSED`, `INVALID_OPTION`. Then no datagram was sent.
   */
  sendRuns(runs: readonly OutgoingRun[], { timesMs }: SendBatchOptions = {}): Promise<readonly SendFailure[]> {
    checkTimes(timesMs, runs.length);
    return this.transmitNow(runs, timesMs);
  }

  #wrap(outgoing: Outgoing<Payload>, index: number): EngineOutgoing {
    if (!isRecord(outgoing)) throw wrongArgument(`datagram ${index}`, '{ data, remote, local }', outgoing);
    const { remote, local } = outgoing;
    const data = toBytes(outgoing.data, index);
    return { data, bytes: data.length, remote: this.#check(remote), local: this.#checkLocal(local) };
  }

  /** Returns a promise only for a name, so that datagrams to literal addresses are sent in the order of the calls. */
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
    if (remote !== undefined) {
      refuseOtherInterface(remote, this.#multicastInterface);
      return to(remote);
    }
    return resolveDestination(wanted, this.#family, undefined, this.#lookup).then(([first]) => to(first));
  }

  /** Checks a destination. Remembers the last one, because a server mostly sends to one peer again and again. */
  #check(remote: Endpoint | undefined): Endpoint {
    const { given, checked } = this.#lastRemote;
    if (remote?.port === given.port && remote.address === given.address) return checked;
    if (!isEndpoint(remote)) throw noEndpoint(remote, 'remote');
    const endpoint = this.#canonical(remote);
    checkDestination({ host: { kind: 'literal', address: endpoint.address }, port: endpoint.port });
    refuseOtherInterface(endpoint, this.#multicastInterface);
    this.#lastRemote = { given: { ...remote }, checked: endpoint };
    return endpoint;
  }

  /** Checks a source address. Remembers the last one, because most requests come to one and the same address. */
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

/** Whether an error of binding `::` means that the host has no IPv6. */
function lacksIpv6(error: unknown): boolean {
  const code = error instanceof DatagramError ? systemCode(error.cause) : undefined;
  return code === 'EAFNOSUPPORT' || code === 'EADDRNOTAVAIL' || code === 'EINVAL';
}
