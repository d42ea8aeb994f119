import { CLOCK_REALTIME } from './constants.js';
import { Memory } from './memory.js';
import type { SystemCalls } from './system-calls.js';

/**
 * Returns a function that reads the system's clock (CLOCK_REALTIME) in milliseconds since the epoch. The kernel stamps
 * received datagrams by the same clock.
 */
export function createSystemClock({ clock_gettime, addressOf }: SystemCalls): () => number {
  const memory = new Memory(16, addressOf);
  return () => {
    clock_gettime(CLOCK_REALTIME, memory.address);
    return readTimespec(memory.view, 0);
  };
}

/** Reads a `struct timespec` (clock_gettime(2)). Returns milliseconds. */
export function readTimespec(view: DataView, offset: number): number {
  const seconds = view.getUint32(offset, true) + view.getUint32(offset + 4, true) * 0x1_0000_0000;
  return seconds * 1000 + view.getUint32(offset + 8, true) / 1e6;
}
