import { useSystemClock } from '../../clock.js';
import { useFineTimers } from '../../fine-timer.js';
import { createFineTimers } from './fine-timers.js';
import { Memory } from './memory.js';
import { SocketOptionCalls } from './options.js';
import { Reception } from './reception.js';
import { createSystemClock } from './system-clock.js';
import { loadSystemCalls, type SystemCalls } from './system-calls.js';
import { Transmission } from './transmission.js';
import { Watches } from './watches.js';

/**
 * The system calls and the memory that all sockets of the engine share. The memory is in use only during one call, so a
 * later call may overwrite it.
 */
export interface Machinery {
  readonly calls: SystemCalls;
  readonly watches: Watches;
  readonly options: SocketOptionCalls;
  readonly reception: Reception;
  /** The memory into which error queues are read. So payloads in {@link reception} stay while their datagrams are sent. */
  readonly errors: Reception;
  readonly transmission: Transmission;
  /** Room for two socket addresses. */
  readonly names: Memory;
}

/**
 * Loads the system calls and lays out the memory.
 *
 * @throws {DatagramError} `UNSUPPORTED` if the engine cannot run here
 */
export async function loadMachinery(): Promise<Machinery> {
  const calls = await loadSystemCalls();
  const watches = new Watches(calls);
  useSystemClock(createSystemClock(calls));
  useFineTimers(createFineTimers(calls, watches));
  const reception = new Reception(calls);
  return {
    calls,
    watches,
    options: new SocketOptionCalls(calls),
    reception,
    errors: new Reception(calls, 0),
    transmission: new Transmission(calls, reception.payloads),
    names: new Memory(64, calls.addressOf),
  };
}
