import { addressBytes } from '../../address/bytes.js';
import { type Endpoint, familyOf } from '../../address/endpoint.js';
import { ownInode, readSockets, recentSockets } from './kernel-sockets.js';

/**
 * How often the table is read if it lacks the socket. It may lack an open socket if others close during the reading.
 */
const MAX_READS = 3;

/** Reads how many datagrams of one socket of this process the kernel dropped. Works on Linux only. */
export class KernelDrops {
  /** Path of the kernel's table of sockets of this family in the network namespace of this process (proc(5)). */
  readonly #table: string;
  /** The local and the remote address in the form of the table. */
  readonly #addresses: string;
  /** The inode of the socket, which marks its row. Undefined until it was found. */
  #inode: string | undefined;
  #count: number | undefined;

  /** @param remote the address to which the socket is connected; undefined if it is not connected */
  constructor(local: Endpoint, remote: Endpoint | undefined) {
    const family = familyOf(local.address);
    this.#table = family === 6 ? '/proc/net/udp6' : '/proc/net/udp';
    const nowhere = { address: family === 6 ? '::' : '0.0.0.0', port: 0 };
    this.#addresses = `${column(local)} ${column(remote ?? nowhere)}`;
  }

  /**
   * The count of the last {@link read}. Undefined if it was never read, if the system does not tell it, or if several
   * sockets of this process have the same addresses.
   */
  get count(): number | undefined {
    return this.#count;
  }

  /**
   * Reads the count of the open socket. If the host has hundreds of sockets, they share a reading of the table. Then the count may
   * be as old as a reading takes: several milliseconds for thousands of sockets.
   */
  read(): void {
    for (let reads = 0; reads < MAX_READS; reads += 1) {
      const sockets = reads === 0 ? recentSockets(this.#table) : readSockets(this.#table);
      if (sockets === undefined) return;
      this.#inode ??= ownInode(sockets, this.#addresses);
      const drops = this.#inode === undefined ? undefined : sockets.drops.get(this.#inode);
      if (drops === undefined) continue;
      this.#count = drops;
      return;
    }
  }
}

/**
 * Writes an endpoint in the form of the table: 32-bit words in the byte order of this machine, then the port, all in
 * hex.
 */
function column({ address, port }: Endpoint): string {
  const words = Array.from(new Uint32Array(addressBytes(address).buffer), (word) => hex(word, 8));
  return `${words.join('')}:${hex(port, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
