import type { Engine } from '../engine.js';
import { loadMachinery, type Machinery } from './machinery.js';
import { LinuxSocket } from './socket.js';
import { sendUnixDatagram } from './unix-datagram.js';

let machinery: Promise<Machinery> | undefined;

function load(): Promise<Machinery> {
  return (machinery ??= loadMachinery());
}

/**
 * The engine of Linux' own system calls, through the optional package `koffi`: many datagrams a call, and what
 * `node:dgram` does not tell. It is loaded once, by whoever needs it first.
 *
 * @throws {DatagramError} `UNSUPPORTED` where it cannot run, saying why
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
 * Sends one datagram to a Unix socket, which Node cannot, see {@link sendUnixDatagram}.
 *
 * @throws {DatagramError} `UNSUPPORTED` where the engine cannot run; otherwise what the system says
 */
export async function sendToUnixSocket(name: string, data: Uint8Array): Promise<void> {
  sendUnixDatagram((await load()).calls, name, data);
}
