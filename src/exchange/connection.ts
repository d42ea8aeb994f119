import { wallClockMs } from '../net/clock.js';
import { isBroadcast, isMulticast } from '../net/address/endpoint.js';
import { type ClientOptions, type DatagramClient, DatagramError, type Endpoint } from '../net/index.js';
import { Clients } from './clients.js';
import type { Ending } from './ending.js';
import type { Observers, RepliesFrom } from './events.js';
import { ResendBuffer } from './resend-buffer.js';

/** The time limit for counting the datagrams that are left in the sockets at the end. */
const MAX_COUNTING_MS = 20;

/** Options of {@link Connection}. */
export interface ConnectionOptions {
  /** The addresses of the peer, in order of preference. If one refuses before it has replied, the next is tried. */
  readonly candidates: readonly [Endpoint, ...Endpoint[]];
  readonly client: Omit<ClientOptions, 'strays'>;
  /** Whether replies are awaited. */
  readonly listens: boolean;
  /** Whether messages name senders, and each sender has a socket of its own. Default: all messages leave from one socket. */
  readonly manySenders?: boolean;
  /** The senders whose datagrams are replies. A broadcast or multicast destination implies `anyone`. */
  readonly repliesFrom: RepliesFrom;
  /** Writes the messages again for another address, if they contain the address. Default: they do not change. */
  readonly rewrite?: ((local: Endpoint, remote: Endpoint) => Promise<readonly Uint8Array[]>) | undefined;
}

/** Functions that a {@link Connection} calls. */
export interface ConnectionHooks {
  /** A socket is open. The call comes before the first datagram can arrive. */
  opened(client: DatagramClient): void;
  /** The kept messages are about to be sent to another address. `timeMs` is now, by the wall clock. */
  sendingAgain(timeMs: number): void;
  /** Kept messages were sent to another address. */
  sentAgain(): void;
}

/** The senders whose datagrams are replies if messages go to this address. */
function repliesFromAt(
  { address }: Endpoint,
  { repliesFrom, client }: Pick<ConnectionOptions, 'repliesFrom' | 'client'>,
): RepliesFrom {
  // Without the permission to broadcast, an address like 192.0.2.255 is an ordinary host.
  const many = isMulticast(address) || (client.broadcast === true && isBroadcast(address));
  return many ? 'anyone' : repliesFrom;
}

/**
 * The connection to one peer. A name can have several addresses, and the connection uses the first one that does not refuse.
 * Until an address has replied, messages are kept: if the address refuses, they are sent again to the next one.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #observers: Observers;
  readonly #ending: Ending;
  readonly #hooks: ConnectionHooks;
  readonly #candidates: Endpoint[];
  #clients!: Clients;
  /** The senders whose datagrams are replies at the address in use. */
  #repliesFrom: RepliesFrom = 'peer';
  /** The messages so far. Undefined once the address will not change any more. */
  #kept: ResendBuffer | undefined = new ResendBuffer();
  #rewritten: readonly Uint8Array[] | undefined;
  #switching: Promise<void> | undefined;
  /** Datagrams that the kernel dropped on the sockets of refused addresses. */
  readonly #droppedBefore = { count: 0, isLowerBound: false };
  /** Replies that were left in the kernel at the end, as far as they were counted. */
  #leftInKernel = 0;

  constructor(options: ConnectionOptions, observers: Observers, ending: Ending, hooks: ConnectionHooks) {
    this.#options = options;
    this.#observers = observers;
    this.#ending = ending;
    this.#hooks = hooks;
    this.#candidates = [...options.candidates];
  }

  /** Opens the first socket, to the first address that can be used. @throws {DatagramError} if no address can be used */
  async open(): Promise<void> {
    for (;;) {
      const [remote, next] = this.#candidates;
      if (remote === undefined) return;
      try {
        const options = { ...this.#options.client, strays: this.#straysFrom(remote) };
        this.#repliesFrom = repliesFromAt(remote, this.#options);
        this.#clients = await Clients.open(remote, options, (client) => {
          this.#hooks.opened(client);
        });
        return;
      } catch (error) {
        if (next === undefined || !(error instanceof DatagramError)) throw error;
        this.#observers.tell({ type: 'next address', refused: remote, next, why: error });
        this.#candidates.shift();
      }
    }
  }

  #straysFrom(remote: Endpoint): 'ignore' | 'report' | 'receive' {
    if (!this.#options.listens) return 'ignore';
    return repliesFromAt(remote, this.#options) === 'peer' ? 'report' : 'receive';
  }

  /** The sockets to the address in use. */
  get clients(): Clients {
    return this.#clients;
  }

  /** The socket. With many senders, the socket of the first sender. */
  get first(): DatagramClient {
    return this.#clients.first;
  }

  /** The senders whose datagrams are replies at the address in use. */
  get repliesFrom(): RepliesFrom {
    return this.#repliesFrom;
  }

  /** The messages as written again for the address in use. Undefined if they did not change. */
  get rewritten(): readonly Uint8Array[] | undefined {
    return this.#rewritten;
  }

  /** Set during a change of the address. Settles when the kept messages were sent to the new address. */
  get switching(): Promise<void> | undefined {
    return this.#switching;
  }

  /** See `Exchange.kernelDropped`. */
  get kernelDropped(): number | undefined {
    // The node engine reads the counts of all sockets of the system to find one. For many sockets that takes too long.
    const isKnown = this.#options.manySenders !== true || this.first.engine !== 'node';
    const kernelDropped = isKnown ? this.#clients.kernelDropped : undefined;
    if (kernelDropped === undefined && this.#leftInKernel === 0) return undefined;
    return this.#droppedBefore.count + (kernelDropped ?? 0) + this.#leftInKernel;
  }

  /** Whether the kernel may have dropped more than the last value of `kernelDropped`. */
  get kernelDropsAreLowerBound(): boolean {
    return this.#droppedBefore.isLowerBound || this.#leftInKernel > 0 || this.#clients.kernelDropsAreLowerBound;
  }

  /**
   * The socket of a sender to the address in use. It is opened if necessary. If the address changes meanwhile, a socket to the
   * new address is opened.
   *
   * @throws {DatagramError} if the socket cannot be opened
   */
  async clientOf(sender: string): Promise<DatagramClient> {
    for (;;) {
      const clients = this.#clients;
      const changed = (): boolean => this.#switching !== undefined || clients !== this.#clients;
      try {
        const client = await clients.of(sender);
        if (!changed()) return client;
      } catch (error) {
        if (!changed()) throw error;
      }
      await this.#switching;
      this.#ending.throwFailure();
    }
  }

  /** Keeps messages that are about to be sent, to send them again if the address refuses. */
  keep(payloads: readonly Uint8Array[], sender: string | undefined): void {
    if (this.#kept === undefined) return;
    if (this.#candidates.length === 1 || !this.#kept.keep(payloads, sender)) this.settle();
  }

  /** The address will not change any more: it has replied, or there are too many messages to send them again. */
  settle(): void {
    this.#kept = undefined;
  }

  /** The address refused. Starts to send the kept messages to the next address. Returns false if that is not possible. */
  goOn(why: DatagramError): boolean {
    if (this.#candidates.length === 1 || this.#kept === undefined) return false;
    this.#switching ??= this.#switch(this.#kept, why).finally(() => {
      this.#switching = undefined;
    });
    return true;
  }

  async #switch(kept: ResendBuffer, why: DatagramError): Promise<void> {
    const refused = this.#clients;
    refused.abort();
    refused.removeAllListeners();
    this.#candidates.shift();
    const [next] = this.#candidates;
    if (next !== undefined) this.#observers.tell({ type: 'next address', refused: refused.first.remote, next, why });
    try {
      await this.open();
      const { kernelDropped } = refused;
      this.#droppedBefore.count += kernelDropped ?? 0;
      this.#droppedBefore.isLowerBound ||= kernelDropped === undefined || refused.kernelDropsAreLowerBound;
      await this.#rewrite(kept);
      this.#hooks.sendingAgain(wallClockMs());
      for (const { payloads, sender } of kept.rows()) await this.#sendAgain(payloads, sender);
    } catch (error) {
      this.#ending.fail(error as Error);
    }
  }

  async #rewrite(kept: ResendBuffer): Promise<void> {
    const { local, remote } = this.first;
    this.#rewritten = await this.#options.rewrite?.(local, remote);
    if (this.#rewritten !== undefined) kept.replace(this.#rewritten);
  }

  async #sendAgain(payloads: readonly Uint8Array[], sender: string | undefined): Promise<void> {
    const client = sender === undefined ? this.first : await this.#clients.of(sender);
    const timesMs = this.#observers.timesOf(payloads, false);
    const [failure] = await client.sendBatch(payloads, { timesMs });
    this.#hooks.sentAgain();
    if (failure !== undefined) throw failure.error;
    await this.#observers.tellTransmitted(payloads, 'next address', client, timesMs);
  }

  /** Counts the datagrams that are left in the kernel. Call it after receiving has ended. */
  async countLeftInKernel(): Promise<void> {
    const clients = this.#clients;
    const before = clients.discarded;
    await clients.poll(MAX_COUNTING_MS);
    this.#leftInKernel += clients.discarded - before;
  }
}
