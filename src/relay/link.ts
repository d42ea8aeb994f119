import {
  type Datagram,
  type DatagramError,
  type Endpoint,
  familyOf,
  openUdpConnection,
  type Run,
  type SocketOptions,
} from '../net/index.js';
import type { Engine, EngineEvents, EngineOutgoing, EngineSocket, SendFailure } from '../net/engines/engine.js';
import { openApart } from '../net/engines/own-address.js';
import { asRun } from '../net/runs.js';
import type { Session, SessionSocket } from './session.js';

/** The functions that a {@link Link} calls. */
export interface LinkOwner {
  /** How many answers there is room for. */
  roomFor(link: Link): number;
  /** Whether it uses the payloads of the next answers only until {@link answered} returns, or until they are sent. */
  borrows(session: Session): boolean;
  /** Answers arrived. */
  answered(session: Session, runs: Run[]): void;
  /** An ICMP error came back for a datagram of the session. */
  refused(session: Session, error: DatagramError): void;
  /** The system had no memory to receive with; the socket tries again. */
  receiveFailed(error: DatagramError): void;
  /** The socket of the session can receive no more. */
  failed(session: Session, error: DatagramError): void;
}

/** How the sockets of sessions are opened. */
export interface LinkOptions {
  readonly engine: Engine;
  /** The literal address to send from. Default: the system chooses it. */
  readonly source: string | undefined;
  /** Whether answers come from every port of the target's host. */
  readonly anyPort: boolean;
  readonly options: SocketOptions;
}

/** The socket of a session towards the target. It is the receiver of its engine's events, so that it costs little memory. */
export class Link implements EngineEvents, SessionSocket {
  readonly #session: Session;
  readonly #owner: LinkOwner;
  readonly #anyPort: boolean;
  #socket!: EngineSocket;
  #closed = false;

  private constructor(session: Session, owner: LinkOwner, anyPort: boolean) {
    this.#session = session;
    this.#owner = owner;
    this.#anyPort = anyPort;
  }

  /** Opens a socket to a target. @throws {DatagramError} like `Engine.open` */
  static async open(
    session: Session,
    target: Endpoint,
    owner: LinkOwner,
    { engine, source, anyPort, options }: LinkOptions,
  ): Promise<Link> {
    const link = new Link(session, owner, anyPort);
    // A socket of the node engine that hears other ports, too, cannot send to them. So it has no peer.
    const isOpen = anyPort && engine.name === 'node';
    const everywhere = familyOf(target.address) === 6 ? '::' : '0.0.0.0';
    const address = source ?? (isOpen ? await findSource(target, options) : everywhere);
    link.#socket = await openApart(
      engine,
      {
        local: { address, port: 0 },
        dualStack: false,
        remote: isOpen ? undefined : target,
        hearStrays: anyPort && !isOpen,
        options,
      },
      link,
    );
    return link;
  }

  get local(): Endpoint {
    return this.#socket.local;
  }

  get kernelDropped(): number | undefined {
    return this.#socket.kernelDropped();
  }

  get kernelDropsAreLowerBound(): boolean {
    return this.#socket.kernelDropsAreLowerBound;
  }

  send(batch: EngineOutgoing[], timesMs?: Float64Array): Promise<readonly SendFailure[]> {
    if (!this.#anyPort) return this.#socket.send(batch, timesMs);
    const { target: remote } = this.#session;
    return this.#socket.send(
      batch.map((outgoing) => ({ ...outgoing, remote })),
      timesMs,
    );
  }

  resume(): void {
    this.#socket.resume();
  }

  poll(): Promise<void> {
    return this.#closed ? Promise.resolve() : this.#socket.poll();
  }

  close(): Promise<void> {
    this.#closed = true;
    // After the close, the node engine tells the drops only if it was asked before.
    this.#socket.kernelDropped();
    return this.#socket.close();
  }

  room(): number {
    return this.#owner.roomFor(this);
  }

  takesRuns(): boolean {
    return true;
  }

  borrowsRuns(): boolean {
    return this.#owner.borrows(this.#session);
  }

  runs(runs: Run[]): void {
    // Exceptions must not reach the engine.
    try {
      this.#owner.answered(this.#session, runs);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }

  datagrams(batch: Datagram[]): void {
    if (this.#anyPort) this.strays(batch);
    else this.runs(batch.map(asRun));
  }

  /** Takes datagrams of other ports of the target's host. From now on the client's datagrams go to the last of these ports. */
  strays(batch: Datagram[]): void {
    const session = this.#session;
    const answers = batch.filter(({ remote }) => remote.address === session.target.address);
    const last = answers.at(-1);
    if (!this.#anyPort || last === undefined) return;
    session.target = last.remote;
    this.runs(answers.map(asRun));
  }

  peerError(error: DatagramError): void {
    this.#owner.refused(this.#session, error);
  }

  receiveError(error: DatagramError): void {
    this.#owner.receiveFailed(error);
  }

  failed(error: DatagramError): void {
    this.#owner.failed(this.#session, error);
  }
}

/** The address of this host that the system chooses to send to a target. @throws {DatagramError} like `openUdpConnection` */
async function findSource(target: Endpoint, { broadcast }: SocketOptions): Promise<string> {
  await using client = await openUdpConnection(target, { engine: 'node', broadcast });
  return client.local.address;
}
