import {
  type ClientOptions,
  type DatagramClient,
  DatagramError,
  type Endpoint,
  openUdpConnection,
} from '../net/index.js';

/**
 * The sockets of an exchange, all connected to the same address. If messages name senders (a recording with `--senders each`),
 * each sender has a socket of its own, which is opened for its first message. Otherwise there is one socket.
 */
export class Clients implements AsyncDisposable {
  /** The socket of messages without a sender, and of the first sender. */
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

  /** The socket of a sender. It is opened if necessary. @throws {DatagramError} if it cannot be opened */
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

  /** How many datagrams the kernel dropped so far. Undefined where the system does not tell. */
  get kernelDropped(): number | undefined {
    let sum = 0;
    for (const { kernelDropped } of this.#all) {
      if (kernelDropped === undefined) return undefined;
      sum += kernelDropped;
    }
    return sum;
  }

  /** Whether the kernel may have dropped more than the last value of `kernelDropped`. */
  get kernelDropsAreLowerBound(): boolean {
    return this.#all.some((client) => client.kernelDropsAreLowerBound);
  }

  /** How many datagrams were read and thrown away after receiving had ended. */
  get discarded(): number {
    return this.#all.reduce((sum, { discarded }) => sum + discarded, 0);
  }

  /** Reads all datagrams and errors that the kernel has now, see `DatagramSocket.poll`. The time limit is for all sockets. */
  async poll(withinMs = Infinity): Promise<void> {
    const untilMs = performance.now() + withinMs;
    await Promise.all(this.#all.map((client) => client.poll(untilMs - performance.now())));
  }

  /** From now on no socket is opened: a message of a sender without one fails. */
  openNoMore(): void {
    this.#closed = true;
  }

  /** Ends receiving on all sockets, see `DatagramSocket.stopReceiving`. */
  stopReceiving(): void {
    for (const client of this.#all) client.stopReceiving();
  }

  /** Closes all sockets at once, see `DatagramSocket.abort`. */
  abort(): void {
    this.#closed = true;
    for (const client of this.#all) client.abort();
  }

  /** Removes the listeners of all sockets. */
  removeAllListeners(): void {
    for (const client of this.#all) client.removeAllListeners();
  }

  /** Closes all sockets in order, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#all.map((client) => client[Symbol.asyncDispose]()));
  }
}
