import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { platform } from 'node:os';
import { addressBytes } from '../../address/bytes.js';
import { type Endpoint, familyOf } from '../../address/endpoint.js';

/** How often a table is read anew that lacks a socket which is open: it may, when others close while it is read. */
const MAX_READS = 3;

/** Counts the datagrams of one socket of this process that the kernel dropped. Only Linux tells. */
export class KernelDrops {
  /** The kernel's table of sockets of this family, in the network of this process (proc(5)). */
  readonly #table: string;
  /** How the two addresses stand there. */
  readonly #addresses: string;
  /** Which row is the socket's; undefined until it was found. */
  #inode: string | undefined;
  #count: number | undefined;

  /** @param remote the address that the socket is connected to, if it is */
  constructor(local: Endpoint, remote: Endpoint | undefined) {
    const family = familyOf(local.address);
    this.#table = family === 6 ? '/proc/net/udp6' : '/proc/net/udp';
    const nowhere = { address: family === 6 ? '::' : '0.0.0.0', port: 0 };
    this.#addresses = `${column(local)} ${column(remote ?? nowhere)}`;
  }

  /**
   * The count when it was last read; undefined if it was not, or the system does not tell it, or tells it of several
   * sockets of this process that have the same addresses.
   */
  get count(): number | undefined {
    return this.#count;
  }

  /** Reads the count; the socket must be open. The first time takes about a millisecond, others a fraction of it. */
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

/** Sockets of other processes may have the same addresses: what is open here tells which is ours. */
function findInode(table: string, addresses: string): string | undefined {
  const own = ownInodes();
  const [only, ...others] = table
    .split('\n')
    .filter((row) => row.includes(addresses))
    .map((row) => row.trim().split(/\s+/).at(-4))
    .filter((inode) => inode !== undefined && own.has(inode));
  return others.length === 0 ? only : undefined;
}

/** The inodes of this process' sockets. Node tells no socket's descriptor without a warning. */
function ownInodes(): ReadonlySet<string> {
  const inodes = new Set<string>();
  for (const descriptor of readdirSync('/proc/self/fd')) {
    try {
      const [, inode] = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/self/fd/${descriptor}`)) ?? [];
      if (inode !== undefined) inodes.add(inode);
    } catch {
      // It was closed meanwhile, as the one by which the folder was read.
    }
  }
  return inodes;
}

/** An address as it stands in the table: in words of 32 bits, each as a number of this machine, and the port. */
function column({ address, port }: Endpoint): string {
  const words = Array.from(new Uint32Array(addressBytes(address).buffer), (word) => hex(word, 8));
  return `${words.join('')}:${hex(port, 4)}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).toUpperCase().padStart(digits, '0');
}
