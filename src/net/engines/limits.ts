import { platform } from 'node:os';

/** The receive buffer asked for by default, in bytes. It holds 4000 small datagrams, which Linux charges 1.3 KB each. */
export const DEFAULT_RECV_BUFFER_BYTES = 4 * 1024 * 1024;
/** The least that Linux charges the receive buffer for a datagram, in bytes. */
export const LEAST_CHARGE_BYTES = 512;
/** Linux grants twice the buffer that it is asked for, to allow for its own bookkeeping (socket(7)). */
export const KERNEL_FACTOR = platform() === 'linux' ? 2 : 1;
/** Sends between two turns of the event loop: enough to be fast, few enough that timers and replies are not held up. */
export const SENDS_PER_TURN = 64;
/** How often a datagram is sent again after an ICMP error that may be about an earlier datagram. */
export const MAX_ATTEMPTS = 16;
/** See `SocketOptions.noMemoryTimeoutMs`. */
export const NO_MEMORY_TIMEOUT_MS = 1000;
