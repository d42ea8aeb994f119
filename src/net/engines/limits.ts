import { platform } from 'node:os';

/**
 * Default size of the receive buffer in bytes. Linux counts about 1.3 KB of memory for a small datagram and doubles the
 * size (socket(7)), so the buffer holds several thousand of them.
 */
export const DEFAULT_RECV_BUFFER_BYTES = 4 * 1024 * 1024;
/** The smallest memory, in bytes, that Linux counts for one datagram in the receive buffer. */
export const LEAST_CHARGE_BYTES = 512;
/** Linux doubles the size of a buffer that setsockopt(2) sets, to have room for its bookkeeping (socket(7)). */
export const KERNEL_FACTOR = platform() === 'linux' ? 2 : 1;
/** How many sends an engine makes in one round of the event loop. Then timers and received datagrams get their turn. */
export const SENDS_PER_TURN = 64;
/** How often a datagram is tried if its send fails with an error that may be the ICMP error of an earlier datagram. */
export const MAX_ATTEMPTS = 16;
/** Default of `SocketOptions.noMemoryTimeoutMs`. */
export const NO_MEMORY_TIMEOUT_MS = 1000;
