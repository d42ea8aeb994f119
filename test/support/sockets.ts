/** Plain `node:dgram` peers on loopback and ports that the kernel chose. */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { once } from 'node:events';

export type Family = 4 | 6;

/** One datagram as a peer received it. */
export interface Received {
  readonly data: Buffer;
  /** Address of the sender, as udpcat writes it. */
  readonly from: string;
}

/** A bound socket that remembers what arrived. */
export interface Peer extends AsyncDisposable {
  readonly socket: Socket;
  readonly port: number;
  /** Its address, as udpcat takes it. */
  readonly address: string;
  /** Everything that has arrived so far, in order. */
  readonly received: readonly Received[];
  /** Resolves to the first n datagrams as soon as so many have arrived. */
  collect(n: number): Promise<readonly Received[]>;
  /** Resolves when the kernel has taken the datagram. */
  send(data: string | Uint8Array, address: string): Promise<void>;
}

const loopback = (family: Family): string => (family === 4 ? '127.0.0.1' : '::1');

/** An address as udpcat writes it: IPv6 in brackets. */
export function written(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The host, without brackets, and the port of an address as udpcat writes it. */
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
  await listening;
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

/** A peer that does with each datagram what `answer` says; its promise may reject once the peer is closed. */
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
      // The test may end while an answer is still under way.
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

/** Sends every datagram back; on a port of its own unless one is given. */
export function echoServer(family: Family = 4, port = 0): Promise<Peer> {
  return peer(family, (data, from, socket) => sent(socket, data, from.port, from.address), port);
}

/** Takes everything and says nothing; on a port of its own unless one is given. */
export function silentServer(family: Family = 4, port = 0): Promise<Peer> {
  return peer(family, () => undefined, port);
}

/** Answers each datagram with these, in order; a function makes them from what came. */
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

/** Everything that had arrived at a peer when this was called, byte for byte as latin1. */
export async function arrivals(peer: Peer): Promise<string[]> {
  // Datagrams on loopback arrive in order.
  await peer.send('the end', peer.address);
  for (let n = 1; ; n += 1) {
    const received = await peer.collect(n);
    if (received.at(-1)?.from !== peer.address) continue;
    return received.slice(0, -1).map(({ data }) => data.toString('latin1'));
  }
}

/** Answers each datagram with its own bytes, or with `answer`, from another socket. */
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

/** A port that was free a moment ago, so that nothing answers there. */
export async function closedPort(family: Family = 4): Promise<number> {
  const socket = await bound(family);
  const { port } = socket.address();
  await closed(socket);
  return port;
}

/** The address of {@link closedPort}, as udpcat takes it. */
export async function closedAddress(family: Family = 4): Promise<string> {
  return written(loopback(family), await closedPort(family));
}
