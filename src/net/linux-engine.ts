import type { Engine } from './engine.js';
import { LinuxSocket, loadMachinery, type Machinery } from './linux/linux-socket.js';

let machinery: Promise<Machinery> | undefined;

/**
 * The engine of Linux' own system calls, through the optional package `koffi`: many datagrams a call, and what
 * `node:dgram` does not tell. It is loaded once, by whoever needs it first.
 *
 * @throws {DatagramError} `UNSUPPORTED` where it cannot run, saying why
 */
export async function loadLinuxEngine(): Promise<Engine> {
  machinery ??= loadMachinery();
  const loaded = await machinery;
  return {
    name: 'linux',
    leavesInKernel: true,
    open: (request, events) =>
      new Promise((resolve) => {
        resolve(new LinuxSocket(loaded, request, events));
      }),
  };
}
