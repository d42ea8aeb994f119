import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { platform } from 'node:os';

/** The kernel's table of UDP sockets of one family, read at one moment (proc(5), `/proc/net/udp`). */
export interface KernelSockets {
  /** For each inode how many datagrams the kernel dropped for want of room. */
  readonly drops: ReadonlyMap<string, number>;
  /** The inodes of the sockets with a local and a remote address, both in the form of the table. */
  readonly inodes: ReadonlyMap<string, readonly string[]>;
  /** The inodes of the sockets of this process. Undefined until {@link ownInode} needs them. */
  own: ReadonlySet<string> | undefined;
  /** Until when this counts as recent, by `performance.now()`. */
  recentUntilMs: number;
}

/** Columns: local and remote address; then after others inode, references, pointer and drops. */
const ROW = /^ *\d+: (\S+ \S+) .* (\d+) \d+ [\da-f]+ (\d+) *$/gm;

/** A reading of a table with at most this many sockets is not shared: it takes less than half a millisecond. */
const MOST_UNSHARED = 128;

const lastRead = new Map<string, KernelSockets>();

/**
 * Returns the table at this path. A short table is always read. A long one may have been read a moment ago: a reading serves for
 * as long as it took. A relay asks for thousands of sockets in a row, and to read all rows for each of them would take seconds.
 * A process that is stopped during a reading takes an old table for a recent one. Undefined if the system has no table.
 */
export function recentSockets(path: string): KernelSockets | undefined {
  const last = lastRead.get(path);
  const isRecent = last !== undefined && last.drops.size > MOST_UNSHARED && performance.now() < last.recentUntilMs;
  return isRecent ? last : readSockets(path);
}

/** Reads the table at this path. Returns undefined if the system has none. */
export function readSockets(path: string): KernelSockets | undefined {
  const startMs = performance.now();
  const table = readTable(path);
  if (table === undefined) return undefined;
  const drops = new Map<string, number>();
  const inodes = new Map<string, string[]>();
  for (const [, addresses = '', inode = '', count] of table.matchAll(ROW)) {
    drops.set(inode, Number(count));
    const others = inodes.get(addresses);
    if (others === undefined) inodes.set(addresses, [inode]);
    else others.push(inode);
  }
  const sockets: KernelSockets = { drops, inodes, own: undefined, recentUntilMs: twiceAfter(startMs) };
  lastRead.set(path, sockets);
  return sockets;
}

/**
 * Returns the inode of the socket of this process that has these addresses. Sockets of other processes may have them, too.
 * Undefined if this process has no such socket, or several.
 */
export function ownInode(sockets: KernelSockets, addresses: string): string | undefined {
  const inodes = sockets.inodes.get(addresses);
  if (inodes === undefined) return undefined;
  if (sockets.own === undefined) {
    const startMs = performance.now();
    sockets.own = readOwnInodes();
    sockets.recentUntilMs = twiceAfter(startMs);
  }
  const { own } = sockets;
  const [only, ...others] = inodes.filter((inode) => own.has(inode));
  return others.length === 0 ? only : undefined;
}

/** Returns the moment that is as long after now as now is after the start. */
function twiceAfter(startMs: number): number {
  return 2 * performance.now() - startMs;
}

function readTable(path: string): string | undefined {
  if (platform() !== 'linux') return undefined;
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return undefined;
  }
}

/** Returns the inodes of all sockets of this process. Node prints a warning when the descriptor of a socket is read. */
function readOwnInodes(): ReadonlySet<string> {
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
