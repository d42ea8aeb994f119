import { createSocket, type RemoteInfo, type Socket, type SocketOptions as DgramOptions } from 'node:dgram';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { BackOff } from '../back-off.js';
import { broadcastSource } from '../broadcast-source.js';
import { wallClockMs } from '../../clock.js';
import type { Datagram } from '../../datagram.js';
import {
  type Endpoint,
  type Family,
  familyOf,
  formatEndpoint,
  ipv4Of,
  isMulticast,
  isWildcard,
  LIMITED_BROADCAST,
  MAX_PAYLOAD_BYTES,
  sameEndpoint,
} from '../../address/endpoint.js';
import type {
  Engine,
  EngineEvents,
  EngineOutgoing,
  EngineSocket,
  KernelBuffers,
  OpenRequest,
  SendFailure,
  SocketOptions,
} from '../engine.js';
import {
  DEFAULT_RECV_BUFFER_BYTES,
  KERNEL_FACTOR,
  LEAST_CHARGE_BYTES,
  MAX_ATTEMPTS,
  NO_MEMORY_TIMEOUT_MS,
  SENDS_PER_TURN,
} from '../limits.js';
import { isChanged, joinError, openError, receiveError, sendError } from '../errors.js';
import { DatagramError, describeSystemError, systemCode } from '../../errors.js';
import { KernelDrops } from './kernel-drops.js';
import { type Membership, membershipsOf } from '../../address/membership.js';

/** What a system says that has no memory for a datagram: it may have some in a moment. */
const NO_MEMORY = new Set(['ENOBUFS', 'ENOMEM']);
/** How long the process pauses at most while the system has no memory to receive with. */
const MAX_HALT_MS = 10;
/** How often another port is tried when one that was free a moment ago is taken. */
const MAX_PORT_ATTEMPTS = 16;

/**
 * What a connected socket reports for ICMP errors, of both families (icmp_err_convert and icmpv6_err_convert in Linux):
 * port, protocol, host and network unreachable or prohibited, and the reset by which Windows says the same.
 */
const REFUSALS = new Set([
  'EACCES',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTDOWN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENONET',
  'ENOPROTOOPT',
  'EPROTO',
]);

const TTL_REMEDY = 'the node engine sets it for one family only, IPv4 or IPv6, so restrict the socket to one';

/** The engine of `node:dgram`: everywhere, no native code, one system call a datagram. */
export const nodeEngine: Engine = {
  name: 'node',
  leavesInKernel: false,
  open: (request, events) => (request.hearStrays ? openPair(request, events) : openOne(request, events)),
};

async function openOne(request: OpenRequest, events: EngineEvents): Promise<EngineSocket> {
  // Every socket that is bound to a group gets its datagrams: sharing it takes nothing from another.
  const socket = new NodeSocket(request, events, isMulticast(request.local.address));
  await socket.open(broadcastSource(request));
  return socket;
}

/**
 * A connected socket hears only its peer, so a second, unconnected one on the same port hears the strays. Sharing a port
 * needs SO_REUSEADDR, with which a chosen port may be one that others use already: an exclusive socket finds a free one.
 */
async function openPair(request: OpenRequest, events: EngineEvents): Promise<EngineSocket> {
  for (let attempt = 1; ; attempt += 1) {
    const alone = { ...request, options: { ...request.options, join: undefined } };
    const scout = new NodeSocket({ ...alone, remote: undefined }, events, false);
    await scout.open(request.local);
    const { local } = scout;
    await scout.close();
    const strays = new NodeSocket({ ...request, remote: undefined }, asStrays(events, request), true);
    const connected = new NodeSocket(alone, events, true, strays);
    try {
      await connected.open({ ...broadcastSource(request), port: local.port });
      await strays.open(local);
      return connected;
    } catch (error) {
      await connected.close();
      const taken = error instanceof DatagramError && systemCode(error.cause) === 'EADDRINUSE';
      if (!taken || request.local.port !== 0 || attempt === MAX_PORT_ATTEMPTS) throw error;
    }
  }
}

class NodeSocket implements EngineSocket {
  local: Endpoint;
  buffers: KernelBuffers = { recvBytes: 0, sendBytes: 0 };
  readonly kernelDropsAreLowerBound = false;
  readonly #request: OpenRequest;
  readonly #events: EngineEvents;
  readonly #socket: Socket;
  readonly #family: Family;
  /** The unconnected socket on the same port; it lives and dies with this one. */
  readonly #companion: NodeSocket | undefined;
  /** What arrived in this turn of the event loop. */
  #arrived: Datagram[] = [];
  #strayed: Datagram[] = [];
  /** Datagrams read so far, and failures to read one that may have passed by now. */
  #reads = 0;
  readonly #backOff = new BackOff();
  /** What they took of the kernel's buffer at least, in bytes. */
  #bytesRead = 0;
  #lastRemote: Endpoint = { address: '', port: 0 };
  #sendsThisTurn = 0;
  #sending: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;
  /** Whether `local` is a wildcard, so that where a datagram was sent to is not known. */
  #wildcard = true;
  /** Undefined until somebody asks: a socket that only sends is not slowed down. */
  #drops: KernelDrops | undefined;

  constructor(request: OpenRequest, events: EngineEvents, shared: boolean, companion?: NodeSocket) {
    this.#request = request;
    this.#events = events;
    this.#companion = companion;
    this.local = request.local;
    this.#family = familyOf(request.local.address);
    const options: DgramOptions = {
      type: this.#family === 6 ? 'udp6' : 'udp4',
      ipv6Only: this.#family === 6 && !request.dualStack,
      reuseAddr: shared,
      // Addresses are literals by now; Node would ask the resolver again for every datagram.
      lookup: (address, _options, callback) => {
        callback(null, address, this.#family);
      },
    };
    this.#socket = createSocket(options);
  }

  async open(local: Endpoint): Promise<void> {
    const socket = this.#socket;
    const { remote, fd } = this.#request;
    try {
      refuseForeignOptions(this.#request.options);
      await settled(socket, 'listening', () =>
        socket.bind(fd === undefined ? { port: local.port, address: local.address, exclusive: true } : { fd }),
      );
      if (fd !== undefined && !sameEndpoint(socket.address(), local)) throw notBoundTo(local, fd, socket.address());
      this.#configure(this.#request.options);
      if (remote !== undefined) {
        await settled(socket, 'connect', () => {
          socket.connect(remote.port, remote.address);
        });
      }
      for (const membership of membershipsOf(this.#request.options)) this.#join(membership);
    } catch (error) {
      await this.close();
      throw openError(error, this.#request, local);
    }
    const bound = socket.address();
    this.local = { address: bound.address, port: bound.port };
    this.#wildcard = isWildcard(bound.address);
    socket.on('message', (data, from) => {
      this.#onMessage(data, from);
    });
    socket.on('error', (error) => {
      this.#onError(error);
    });
  }

  #configure({ recvBufferBytes, sendBufferBytes, ttl, broadcast, multicastInterface }: SocketOptions): void {
    const socket = this.#socket;
    if (recvBufferBytes !== undefined) socket.setRecvBufferSize(recvBufferBytes);
    else enlargeRecvBuffer(socket);
    if (sendBufferBytes !== undefined) socket.setSendBufferSize(sendBufferBytes);
    this.buffers = {
      recvBytes: socket.getRecvBufferSize() / KERNEL_FACTOR,
      sendBytes: socket.getSendBufferSize() / KERNEL_FACTOR,
    };
    if (ttl !== undefined) {
      // node:dgram sets the hop limit of IPv6 only, and IPv4 would leave with the system's.
      if (this.#request.dualStack) throw new DatagramError('UNSUPPORTED', `cannot set the TTL: ${TTL_REMEDY}`);
      socket.setTTL(ttl);
      socket.setMulticastTTL(ttl);
    }
    if (broadcast === true) socket.setBroadcast(true);
    if (multicastInterface !== undefined) {
      const families: readonly Family[] = this.#request.dualStack ? [4, 6] : [this.#family];
      for (const family of families) socket.setMulticastInterface(interfaceAddress(multicastInterface, family));
    }
  }

  #join(membership: Membership): void {
    const { group, source, interface: name } = membership;
    const on = name === undefined ? undefined : interfaceAddress(name, familyOf(group));
    try {
      if (source === undefined) this.#socket.addMembership(group, on);
      else this.#socket.addSourceSpecificMembership(source, group, on);
    } catch (cause) {
      throw joinError(cause, membership);
    }
  }

  #onMessage(data: Buffer, from: RemoteInfo): void {
    const remote = this.#remoteOf(from);
    const { remote: peer } = this.#request;
    const datagram: Datagram = {
      data,
      remote,
      local: this.#wildcard ? undefined : this.local,
      timeMs: wallClockMs(),
    };
    if (this.#arrived.length === 0 && this.#strayed.length === 0) setImmediate(this.#deliver);
    this.#reads += 1;
    this.#backOff.succeeded();
    this.#bytesRead += Math.max(data.length, LEAST_CHARGE_BYTES);
    // Between bind and connect anybody can reach the socket.
    if (peer !== undefined && !sameEndpoint(remote, peer)) this.#strayed.push(datagram);
    else this.#arrived.push(datagram);
  }

  /** Runs once all that the kernel had was read, so that what arrived together is delivered together. */
  readonly #deliver = (): void => {
    const arrived = this.#arrived;
    const strayed = this.#strayed;
    this.#arrived = [];
    this.#strayed = [];
    if (this.#closed) return;
    if (arrived.length > 0) this.#events.datagrams(arrived);
    if (strayed.length > 0 && this.#request.hearStrays) this.#events.strays(strayed);
  };

  #remoteOf({ address, port }: RemoteInfo): Endpoint {
    const plain = address.startsWith('::ffff:') && address.includes('.') ? address.slice('::ffff:'.length) : address;
    const last = this.#lastRemote;
    if (last.port !== port || last.address !== plain) this.#lastRemote = { address: plain, port };
    return this.#lastRemote;
  }

  #onError(error: Error): void {
    const code = systemCode(error);
    if (code === 'EMSGSIZE' || REFUSALS.has(code ?? '')) {
      this.#events.peerError(this.#peerError(error));
    } else if (NO_MEMORY.has(code ?? '')) {
      this.#events.receiveError(receiveError(error, this.local));
      const pauseMs = this.#backOff.failed();
      if (pauseMs === 0) this.#reads += 1;
      else halt(Math.min(pauseMs, MAX_HALT_MS));
    } else {
      this.#events.failed(receiveError(error, this.local));
    }
  }

  #peerError(cause: unknown): DatagramError {
    const peer = this.#request.remote;
    const whom = peer === undefined ? 'a peer' : formatEndpoint(peer);
    if (systemCode(cause) === 'EMSGSIZE') {
      return new DatagramError('TOO_LARGE', `a datagram was too large for the path to ${whom}`, { cause, peer });
    }
    return new DatagramError('REFUSED', `${whom} refused: ${describeSystemError(cause)}`, { cause, peer });
  }

  send(batch: readonly EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    const sent = this.#sending.then(() => this.#sendInOrder(batch, timesMs));
    this.#sending = sent;
    return sent;
  }

  #sendInOrder(batch: readonly EngineOutgoing[], timesMs: Float64Array | undefined): Promise<readonly SendFailure[]> {
    const { noMemoryTimeoutMs = NO_MEMORY_TIMEOUT_MS } = this.#request.options;
    return new Promise((resolve) => {
      const failures: SendFailure[] = [];
      let index = 0;
      let sentMs = 0;
      let attempts = 0;
      let noMemorySinceMs: number | undefined;
      let ambiguous: unknown;
      const next = (): void => {
        const outgoing = batch[index];
        if (outgoing === undefined) {
          resolve(failures);
          return;
        }
        this.#sendsThisTurn += 1;
        if (this.#sendsThisTurn > SENDS_PER_TURN) {
          setImmediate(() => {
            this.#sendsThisTurn = 0;
            transmit(outgoing);
          });
        } else {
          transmit(outgoing);
        }
      };
      const transmit = (outgoing: EngineOutgoing): void => {
        if (timesMs !== undefined) sentMs = wallClockMs();
        this.#transmit(outgoing, taken);
      };
      const taken = (error: Error | null | undefined): void => {
        const code = systemCode(error);
        attempts += 1;
        const outgoing = batch[index];
        if (
          code !== undefined &&
          outgoing !== undefined &&
          attempts < MAX_ATTEMPTS &&
          this.#mayBePending(code, outgoing)
        ) {
          if (code === 'ECONNREFUSED') this.#events.peerError(this.#peerError(error));
          else ambiguous = error;
          next();
          return;
        }
        if (NO_MEMORY.has(code ?? '')) {
          noMemorySinceMs ??= performance.now();
          if (performance.now() - noMemorySinceMs < noMemoryTimeoutMs && !this.#closed) {
            void delay(1).then(next);
            return;
          }
        } else noMemorySinceMs = undefined;
        if (error && outgoing !== undefined) failures.push({ index, error: this.#sendError(error, outgoing) });
        else {
          if (timesMs !== undefined) timesMs[index] = sentMs;
          // A network that stays unreachable is so from this host; what another attempt cures was an earlier datagram's.
          if (ambiguous !== undefined && !this.#closed) this.#events.peerError(this.#peerError(ambiguous));
        }
        ambiguous = undefined;
        attempts = 0;
        index += 1;
        next();
      };
      next();
    });
  }

  /** Whether a send may have failed with the ICMP error of an earlier datagram: it was not transmitted then. */
  #mayBePending(code: string, { data }: EngineOutgoing): boolean {
    const { remote } = this.#request;
    if (remote === undefined || this.#closed) return false;
    if (code === 'EMSGSIZE') return data.length <= MAX_PAYLOAD_BYTES[familyOf(remote.address)];
    return REFUSALS.has(code);
  }

  #transmit(outgoing: EngineOutgoing, callback: (error: Error | null | undefined) => void): void {
    const { data, remote, local } = outgoing;
    try {
      if (isChanged(outgoing)) throw new TypeError('the payload changed its size');
      if (local !== undefined && local.address !== this.local.address) {
        const from = formatEndpoint(this.local);
        throw new DatagramError('UNSUPPORTED', `the node engine sends from ${from} only, not from ${local.address}`);
      }
      const by = this.#request.options.multicastInterface;
      if (remote?.address === LIMITED_BROADCAST && by !== undefined && this.#wildcard) {
        const remedy = 'bind an address of it; the linux engine can';
        throw new DatagramError(
          'UNSUPPORTED',
          `the node engine cannot broadcast by "${by}" from every interface: ${remedy}`,
        );
      }
      if (remote === undefined) this.#socket.send(data, callback);
      else this.#socket.send(data, remote.port, this.#toSocketFamily(remote.address), callback);
    } catch (error) {
      // dgram throws at once on a closed socket and on arguments it does not like.
      queueMicrotask(() => {
        callback(error as Error);
      });
    }
  }

  #toSocketFamily(address: string): string {
    return this.#family === 6 && familyOf(address) === 4 ? `::ffff:${address}` : address;
  }

  #sendError(cause: Error, outgoing: EngineOutgoing): DatagramError {
    const { remote = this.#request.remote } = outgoing;
    return sendError(cause, outgoing, { remote, local: this.local, closed: this.#closed });
  }

  resume(): void {
    // node:dgram cannot leave datagrams in the kernel; what the queue has no room for is dropped there, and counted.
  }

  async poll(withinMs = Infinity): Promise<void> {
    await Promise.all([this.#drain(withinMs), this.#companion?.poll(withinMs)]);
  }

  async #drain(withinMs: number): Promise<void> {
    const untilMs = performance.now() + withinMs;
    // The kernel's buffer cannot have held more than that when it was asked. A flood fills it again meanwhile.
    const mostBytes = this.#bytesRead + this.buffers.recvBytes * KERNEL_FACTOR;
    // The first turn may begin after this turn's poll phase; the second has had one for certain.
    await nextTurn();
    let before: number;
    do {
      before = this.#reads;
      await nextTurn();
    } while (before !== this.#reads && this.#bytesRead < mostBytes && performance.now() < untilMs && !this.#closed);
    this.#deliver();
  }

  kernelDropped(): number | undefined {
    if (!this.#closed) {
      this.#drops ??= new KernelDrops(this.local, this.#request.remote);
      this.#drops.read();
    }
    const own = this.#drops?.count;
    const ofStrays = this.#companion === undefined ? 0 : this.#companion.kernelDropped();
    return own === undefined || ofStrays === undefined ? undefined : own + ofStrays;
  }

  close(): Promise<void> {
    this.#closing ??= this.#closeBoth();
    return this.#closing;
  }

  get #closed(): boolean {
    return this.#closing !== undefined;
  }

  async #closeBoth(): Promise<void> {
    await Promise.all([
      this.#companion?.close(),
      new Promise<void>((resolve) => {
        // The kernel forgets the count with the socket; nothing comes between the two.
        this.#drops?.read();
        this.#socket.close(resolve);
      }),
    ]);
    this.#socket.removeAllListeners();
  }
}

/** Stands still: libuv asks again in the next turn of the event loop, and `node:dgram` cannot have it ask later. */
function halt(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

/** Everything that arrives is a stray, but what the peer sends to a group. */
function asStrays(events: EngineEvents, { remote: peer }: OpenRequest): EngineEvents {
  const isPeer = ({ remote }: Datagram): boolean => peer !== undefined && sameEndpoint(remote, peer);
  return {
    ...events,
    datagrams: (batch) => {
      const [own, strays] = [batch.filter(isPeer), batch.filter((datagram) => !isPeer(datagram))];
      if (strays.length > 0) events.strays(strays);
      if (own.length > 0) events.datagrams(own);
    },
  };
}

/** Starts something on a socket and waits for its event, or for the error that comes instead. */
function settled(socket: Socket, event: 'listening' | 'connect', begin: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (): void => {
      socket.removeListener('error', failed);
      resolve();
    };
    const failed = (error: Error): void => {
      socket.removeListener(event, done);
      reject(error);
    };
    socket.once(event, done);
    socket.once('error', failed);
    begin();
  });
}

/** What only the linux engine can do. */
const FOREIGN_OPTIONS = ['dscp', 'dontFragment', 'bindDevice', 'reusePort'] as const;

function refuseForeignOptions(options: SocketOptions): void {
  for (const name of FOREIGN_OPTIONS) {
    const value = options[name];
    if (value === undefined || value === false) continue;
    throw new DatagramError('UNSUPPORTED', `the node engine cannot set ${name}; the linux engine can`);
  }
}

function notBoundTo(local: Endpoint, fd: number, bound: Endpoint): DatagramError {
  const message = `cannot adopt descriptor ${fd}: it is bound to ${formatEndpoint(bound)}, not to ${formatEndpoint(local)}`;
  return new DatagramError('OPEN_FAILED', message);
}

/** Systems other than Linux refuse what is above their limit instead of granting less, and nobody asked for this much. */
function enlargeRecvBuffer(socket: Socket): void {
  for (let bytes = DEFAULT_RECV_BUFFER_BYTES; bytes > socket.getRecvBufferSize(); bytes /= 2) {
    try {
      socket.setRecvBufferSize(bytes);
      return;
    } catch {
      // The next one is half as large.
    }
  }
}

/** How dgram has interfaces: an address of it for IPv4, its zone for IPv6. */
function interfaceAddress(name: string, family: Family): string {
  return family === 6 ? `::%${name}` : ipv4Of(name);
}
