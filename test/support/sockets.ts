/** Peers for tests: sockets of `node:dgram` on the loopback, on ports that the kernel chose. */
import { randomInt } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

export type Family = 4 | 6;

/** A datagram that a peer received. */
export interface Received {
  readonly data: Buffer;
  /** Address of the sender: `127.0.0.1:8000` or `[::1]:8000`. */
  readonly from: string;
}

/** A bound socket that keeps all datagrams that it received. */
export interface Peer extends AsyncDisposable {
  readonly socket: Socket;
  readonly port: number;
  /** Its address: `127.0.0.1:8000` or `[::1]:8000`. */
  readonly address: string;
  /** All datagrams received so far, in order. */
  readonly received: readonly Received[];
  /** Waits until n datagrams have arrived. Resolves to the first n. Rejects if the peer is closed before. */
  collect(n: number): Promise<readonly Received[]>;
  /** Resolves when the kernel has taken the datagram. */
  send(data: string | Uint8Array, address: string): Promise<void>;
}

const loopback = (family: Family): string => (family === 4 ? '127.0.0.1' : '::1');

/** Writes an address: `127.0.0.1:8000` or `[::1]:8000`. */
export function written(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Reads an address: returns the host, without brackets, and the port. */
export function hostAndPort(address: string): { host: string; port: number } {
  const [, bracketed, plain, port] = /^(?:\[(.*)\]|([^:]*)):(\d+)$/.exec(address) ?? [];
  const host = bracketed ?? plain;
  if (host === undefined || port === undefined) throw new Error(`not an address: ${address}`);
  return { host, port: Number(port) };
}

async function bound(family: Family, port = 0): Promise<Socket> {
  const socket = createSocket({ type: `udp${family}`, recvBufferSize: 4_000_000, sendBufferSize: 1_000_000 });
  const listening = once(socket, 'listening');
  socket.bind(port, loopback(family));
  try {
    await listening;
  } catch (error) {
    socket.close();
    throw error;
  }
  return socket;
}

async function closed(socket: Socket): Promise<void> {
  const done = once(socket, 'close');
  socket.close();
  await done;
}

function sent(socket: Socket, data: string | Uint8Array, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.send(data, port, host, (error) => {
      if (error === null) resolve();
      else reject(error);
    });
  });
}

/** Opens a peer that calls `answer` for each datagram. The promise of `answer` may reject after the peer was closed. */
async function peer(
  family: Family,
  answer: (data: Buffer, from: RemoteInfo, socket: Socket) => Promise<void> | undefined,
  chosenPort = 0,
): Promise<Peer> {
  const socket = await bound(family, chosenPort);
  const { address: host, port } = socket.address();
  const received: Received[] = [];
  const waiting = new Set<() => void>();
  let open = true;
  socket.on('message', (data, from) => {
    received.push({ data, from: written(from.address, from.port) });
    for (const look of waiting) look();
    answer(data, from, socket)?.catch((error: unknown) => {
      // The test may close the peer while a response is still being sent.
      if (open) socket.emit('error', error);
    });
  });
  return {
    socket,
    port,
    address: written(host, port),
    received,
    collect: (n) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (received.length >= n) resolve(received.slice(0, n));
          else if (!open) reject(new Error(`closed after ${received.length} of ${n} datagrams`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      }),
    send: (data, address) => {
      const to = hostAndPort(address);
      return sent(socket, data, to.port, to.host);
    },
    [Symbol.asyncDispose]: async () => {
      if (!open) return;
      open = false;
      await closed(socket);
      for (const look of waiting) look();
    },
  };
}

/** Opens a peer that sends every datagram back. Default: the kernel chooses the port. */
export function echoServer(family: Family = 4, port = 0): Promise<Peer> {
  return peer(family, (data, from, socket) => sent(socket, data, from.port, from.address), port);
}

/** Opens a peer that sends nothing. Default: the kernel chooses the port. */
export function silentServer(family: Family = 4, port = 0): Promise<Peer> {
  return peer(family, () => undefined, port);
}

/**
 * Opens a peer that responds to each datagram with these payloads, in order. A function makes them from the datagram.
 */
export function answeringServer(
  answers: readonly (string | Uint8Array)[] | ((data: Buffer, nth: number) => readonly (string | Uint8Array)[]),
  family: Family = 4,
  port = 0,
): Promise<Peer> {
  let nth = 0;
  const answer = async (data: Buffer, from: RemoteInfo, socket: Socket): Promise<void> => {
    const all = typeof answers === 'function' ? answers(data, nth++) : answers;
    for (const answer of all) await sent(socket, answer, from.port, from.address);
  };
  return peer(family, answer, port);
}

/** Answers each datagram with the reply that `respond` makes of it. Undefined is no reply. */
export function respondingServer(
  respond: (data: Buffer) => Buffer | undefined | Promise<Buffer | undefined>,
  family: Family = 4,
  port = 0,
): Promise<Peer> {
  const answer = async (data: Buffer, from: RemoteInfo, socket: Socket): Promise<void> => {
    const reply = await respond(data);
    if (reply !== undefined) await sent(socket, reply, from.port, from.address);
  };
  return peer(family, answer, port);
}

/** Returns all payloads that had arrived at a peer before this call, as latin1, a character for each byte. */
export async function arrivals(peer: Peer): Promise<string[]> {
  // Datagrams on the loopback arrive in order, so all others are there when this one is.
  await peer.send('the end', peer.address);
  for (let n = 1; ; n += 1) {
    const received = await peer.collect(n);
    if (received.at(-1)?.from !== peer.address) continue;
    return received.slice(0, -1).map(({ data }) => data.toString('latin1'));
  }
}

/** Opens a peer that responds from another socket: with the bytes of the datagram, or with `answer`. */
export async function strayServer(
  family: Family = 4,
  answer?: string | Uint8Array,
): Promise<Peer & { readonly strayAddress: string }> {
  const other = await bound(family);
  const { address, port } = other.address();
  const front = await peer(family, (data, from) => sent(other, answer ?? data, from.port, from.address));
  const dispose = front[Symbol.asyncDispose];
  return {
    ...front,
    strayAddress: written(address, port),
    [Symbol.asyncDispose]: async () => {
      await dispose();
      await closed(other);
    },
  };
}

/** Nobody sends from this port (RFC 863). */
const DISCARD_PORT = 9;

/**
 * Returns a port that was free a moment ago, so that nobody listens there. It is below the ports that the system gives to sockets
 * by itself (`net.ipv4.ip_local_port_range`): other tests at the same time do not get it.
 */
export async function closedPort(family: Family = 4): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    try {
      await closed(await bound(family, port));
      return port;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

/** Returns a {@link closedPort} as an address on the loopback, where a server can listen later. */
export async function freeAddress(family: Family = 4): Promise<string> {
  return written(loopback(family), await closedPort(family));
}

/**
 * Returns an address on the loopback that refuses datagrams until the test file ends. Its port belongs to a socket that hears
 * only one other port, so that no other program gets it.
 */
export async function closedAddress(family: Family = 4): Promise<string> {
  const socket = await bound(family);
  socket.connect(DISCARD_PORT, loopback(family));
  await once(socket, 'connect');
  socket.unref();
  const { address, port } = socket.address();
  return written(address, port);
}
