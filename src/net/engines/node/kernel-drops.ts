import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { platform } from 'node:os';
import { addressBytes } from '../../address/bytes.js';
import { type Endpoint, familyOf } from '../../address/endpoint.js';

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

  /** Reads the count of the open socket. The first call takes about a millisecond, later calls a fraction of it. */
  read(): void {
    for (let reads = 0; reads < MAX_READS; reads += 1) {
      const table = readTable(this.#table);
      if (table === undefined) return;
      this.#inode ??= findInode(table, this.#addresses);
      if (this.#inode === undefined) continue;
      // The last columns are timeout, inode, references, pointer and drops.
      const row = new RegExp(` ${this.#inode} \\d+ [\\da-f]+ (\\d+) *$`, 'm').exec(table);
      if (row === null) continue;
      this.#count = Number(row[1]);
      return;
    }
  }
}

function readTable(path: string): string | undefined {
  if (platform() !== 'linux') return undefined;
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** Returns the inode of this process' socket. Sockets of other processes may have the same addresses. */
function findInode(table: string, addresses: string): string | undefined {
  const own = ownInodes();
  const [only, ...others] = table
    .split('\n')
    .filter((row) => row.includes(addresses))
    .map((row) => row.trim().split(/\s+/).at(-4))
    .filter((inode) => inode !== undefined && own.has(inode));
  return others.length === 0 ? only : undefined;
}

/** Returns the inodes of all sockets of this process. Node prints a warning when the descriptor of a socket is read. */
function ownInodes(): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`)) ?? [];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // The descriptor was closed meanwhile. That of the folder itself always is.
    }
  }
  return inodes;
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
