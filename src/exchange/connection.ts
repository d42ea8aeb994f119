import { wallClockMs } from '../net/clock.js';
import { isBroadcast, isMulticast } from '../net/address/endpoint.js';
import { type ClientOptions, type DatagramClient, DatagramError, type Endpoint } from '../net/index.js';
import { Clients } from './clients.js';
import type { Ending } from './ending.js';
import type { Observers, RepliesFrom } from './events.js';
import { ResendBuffer } from './resend-buffer.js';

/** How long datagrams that are left in the sockets at the end are counted. */
const MAX_COUNTING_MS = 20;

/** What a {@link Connection} is to be. */
export interface ConnectionOptions {
  /** Where to send, in order of preference. If one refuses before it has replied, the next is tried. */
  readonly candidates: readonly [Endpoint, ...Endpoint[]];
  readonly client: Omit<ClientOptions, 'strays'>;
  /** Whether replies are awaited at all. */
  readonly listens: boolean;
  /** Whether messages name senders, each of which has a socket of its own. Default: all leave from one socket. */
  readonly manySenders?: boolean;
  /** Whose datagrams are replies. A broadcast or multicast destination implies `anyone`. */
  readonly repliesFrom: RepliesFrom;
  /** Writes the messages anew for another address of the name, if they contain it. Default: they stay as they are. */
  readonly rewrite?: ((local: Endpoint, remote: Endpoint) => Promise<readonly Uint8Array[]>) | undefined;
}

/** What a {@link Connection} calls. */
export interface ConnectionHooks {
  /** A socket is open. It is called before the first datagram can arrive. */
  opened(client: DatagramClient): void;
  /** What was kept is about to be sent to another address; `timeMs` by the wall clock. */
  sendingAgain(timeMs: number): void;
  /** Messages were sent to another address. */
  sentAgain(): void;
}

function repliesFromAt(
  { address }: Endpoint,
  { repliesFrom, client }: Pick<ConnectionOptions, 'repliesFrom' | 'client'>,
): RepliesFrom {
  // Without the permission to broadcast, it is not used as a broadcast address.
  const many = isMulticast(address) || (client.broadcast === true && isBroadcast(address));
  return many ? 'anyone' : repliesFrom;
}

/**
 * One peer, by the first of its addresses that does not refuse. Messages are kept until that is known, and sent again to
 * the next address.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #observers: Observers;
  readonly #ending: Ending;
  readonly #hooks: ConnectionHooks;
  readonly #candidates: Endpoint[];
  #clients!: Clients;
  /** Whose datagrams are replies at the address in use. */
  #repliesFrom: RepliesFrom = 'peer';
  /** What was sent; undefined once the address is not changed any more. */
  #kept: ResendBuffer | undefined = new ResendBuffer();
  #rewritten: readonly Uint8Array[] | undefined;
  #switching: Promise<void> | undefined;
  /** Datagrams that the kernel dropped on sockets to addresses that were given up; there may have been more. */
  readonly #droppedBefore = { count: 0, isLowerBound: false };
  /** Replies that were left in the kernel at the end; there may have been more. */
  #leftInKernel = 0;

  constructor(options: ConnectionOptions, observers: Observers, ending: Ending, hooks: ConnectionHooks) {
    this.#options = options;
    this.#observers = observers;
    this.#ending = ending;
    this.#hooks = hooks;
    this.#candidates = [...options.candidates];
  }

  /** Opens the first socket. @throws {DatagramError} when no address can be used */
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

  /** The socket; with many senders, that of the first. */
  get first(): DatagramClient {
    return this.#clients.first;
  }

  /** Whose datagrams are replies at the address in use. */
  get repliesFrom(): RepliesFrom {
    return this.#repliesFrom;
  }

  /** The messages as they were written for the address in use; undefined if they are as they were sent at first. */
  get rewritten(): readonly Uint8Array[] | undefined {
    return this.#rewritten;
  }

  /** Set while the address is being changed; settles when the messages went to the new one. */
  get switching(): Promise<void> | undefined {
    return this.#switching;
  }

  /** See `Exchange.kernelDropped`. */
  get kernelDropped(): number | undefined {
    // The node engine finds each socket's count among those of all sockets: for many sockets that takes too long.
    const isKnown = this.#options.manySenders !== true || this.first.engine !== 'node';
    const kernelDropped = isKnown ? this.#clients.kernelDropped : undefined;
    if (kernelDropped === undefined && this.#leftInKernel === 0) return undefined;
    return this.#droppedBefore.count + (kernelDropped ?? 0) + this.#leftInKernel;
  }

  /** Whether the kernel may have dropped more than `kernelDropped` said last. */
  get kernelDropsAreLowerBound(): boolean {
    return this.#droppedBefore.isLowerBound || this.#leftInKernel > 0 || this.#clients.kernelDropsAreLowerBound;
  }

  /** The socket of a sender, to the address in use: that may change while the socket is opened. */
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

  /** Keeps messages that are about to be sent, in case the address refuses them. */
  keep(payloads: readonly Uint8Array[], sender: string | undefined): void {
    if (this.#kept === undefined) return;
    if (this.#candidates.length === 1 || !this.#kept.keep(payloads, sender)) this.settle();
  }

  /** The address is not changed any more: it has replied, or more was sent to it than is sent again. */
  settle(): void {
    this.#kept = undefined;
  }

  /** The address refused: goes on to the next and sends there what was kept. Returns false if that is not possible. */
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
    const timesMs = this.#observers.timesOf(payloads);
    const [failure] = await client.sendBatch(payloads, { timesMs });
    this.#hooks.sentAgain();
    if (failure !== undefined) throw failure.error;
    await this.#observers.tellTransmitted(payloads, 'next address', client, timesMs);
  }

  /** Counts datagrams that are left in the kernel after receiving has ended. */
  async countLeftInKernel(): Promise<void> {
    const clients = this.#clients;
    const before = clients.discarded;
    await clients.poll(MAX_COUNTING_MS);
    this.#leftInKernel += clients.discarded - before;
  }
}
