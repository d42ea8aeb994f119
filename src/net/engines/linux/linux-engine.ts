import type { Endpoint } from '../../datagram.js';
import { DatagramError } from '../../errors.js';
import type { Engine } from '../engine.js';
import { loadMachinery, type Machinery } from './machinery.js';
import { readPathMtu } from './path-mtu.js';
import { LinuxSocket } from './socket.js';
import { sendUnixDatagram } from './unix-datagram.js';

let machinery: Promise<Machinery> | undefined;

function load(): Promise<Machinery> {
  return (machinery ??= loadMachinery());
}

/**
 * Loads the engine that makes the system calls of Linux itself, through an optional package of koffi. It moves many
 * datagrams with one call and supports options that `node:dgram` lacks. Loading happens once in a process.
 *
 * @throws {DatagramError} `UNSUPPORTED` if the engine cannot run here. The message says why.
 */
export async function loadLinuxEngine(): Promise<Engine> {
  const loaded = await load();
  return {
    name: 'linux',
    leavesInKernel: true,
    open: (request, events) =>
      new Promise((resolve) => {
        resolve(new LinuxSocket(loaded, request, events));
      }),
  };
}

/**
 * Sends one datagram to a Unix socket. Node has no Unix datagram sockets. See {@link sendUnixDatagram}.
 *
 * @throws {DatagramError} `UNSUPPORTED` if the engine cannot run here
 * @throws The system's error if sending fails.
 */
export async function sendToUnixSocket(name: string, data: Uint8Array): Promise<void> {
  sendUnixDatagram((await load()).calls, name, data);
}

/** Returns the MTU of the path to a peer, see {@link readPathMtu}. Undefined if the engine cannot run here. */
export async function pathMtu(peer: Endpoint): Promise<number | undefined> {
  try {
    return readPathMtu(await load(), peer);
  } catch (error) {
    if (error instanceof DatagramError) return undefined;
    throw error;
  }
}
