import {
  type ClientOptions,
  type DatagramClient,
  DatagramError,
  type Endpoint,
  openUdpConnection,
} from '../net/index.js';

/**
 * The sockets of an exchange, all connected to one address. There is one, unless messages name senders: then each sender has
 * a socket of its own, which is opened with its first message.
 */
export class Clients implements AsyncDisposable {
  /** The socket of messages that name no sender, and of the first sender. */
  readonly first: DatagramClient;
  readonly #options: ClientOptions;
  readonly #opened: (client: DatagramClient) => void;
  readonly #all: DatagramClient[];
  readonly #bySender = new Map<string, DatagramClient>();
  #closed = false;

  private constructor(first: DatagramClient, options: ClientOptions, opened: (client: DatagramClient) => void) {
    this.first = first;
    this.#options = options;
    this.#opened = opened;
    this.#all = [first];
    opened(first);
  }

  /**
   * Opens the first socket.
   *
   * @param opened called with each socket as soon as it is open
   * @throws {DatagramError} as `openUdpConnection` does
   */
  static async open(
    remote: Endpoint,
    options: ClientOptions,
    opened: (client: DatagramClient) => void,
  ): Promise<Clients> {
    return new Clients(await openUdpConnection(remote, options), options, opened);
  }

  /** The socket of a sender. @throws {DatagramError} when a further socket cannot be opened */
  async of(sender: string): Promise<DatagramClient> {
    const known = this.#bySender.get(sender) ?? (this.#bySender.size === 0 ? this.first : undefined);
    const client = known ?? (await this.#openAnother());
    this.#bySender.set(sender, client);
    return client;
  }

  async #openAnother(): Promise<DatagramClient> {
    const client = await openUdpConnection(this.first.remote, this.#options);
    if (this.#closed) {
      client.abort();
      throw new DatagramError('CLOSED', 'cannot send: the sockets were closed');
    }
    this.#all.push(client);
    this.#opened(client);
    return client;
  }

  /** How many datagrams wait in the receive queues. */
  get queued(): number {
    return this.#all.reduce((sum, { queued }) => sum + queued, 0);
  }

  /** How many datagrams the kernel dropped so far; undefined where that cannot be known. */
  get kernelDropped(): number | undefined {
    let sum = 0;
    for (const { kernelDropped } of this.#all) {
      if (kernelDropped === undefined) return undefined;
      sum += kernelDropped;
    }
    return sum;
  }

  /** Whether the kernel may have dropped more than `kernelDropped` said last. */
  get kernelDropsAreLowerBound(): boolean {
    return this.#all.some((client) => client.kernelDropsAreLowerBound);
  }

  /** How many datagrams were read after receiving had ended. */
  get discarded(): number {
    return this.#all.reduce((sum, { discarded }) => sum + discarded, 0);
  }

  /** Has the kernel report what it already knows, within that time for all of them, see `DatagramSocket.poll`. */
  async poll(withinMs = Infinity): Promise<void> {
    const untilMs = performance.now() + withinMs;
    await Promise.all(this.#all.map((client) => client.poll(untilMs - performance.now())));
  }

  /** Opens no more sockets: a sender that has none cannot send any more. */
  openNoMore(): void {
    this.#closed = true;
  }

  /** Receives no more, see `DatagramSocket.stopReceiving`. */
  stopReceiving(): void {
    for (const client of this.#all) client.stopReceiving();
  }

  /** Ends at once, see `DatagramSocket.abort`. */
  abort(): void {
    this.#closed = true;
    for (const client of this.#all) client.abort();
  }

  removeAllListeners(): void {
    for (const client of this.#all) client.removeAllListeners();
  }

  /** Closes in order, and waits. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#all.map((client) => client[Symbol.asyncDispose]()));
  }
}
