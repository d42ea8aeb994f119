import { useSystemClock } from '../../clock.js';
import { Memory } from './memory.js';
import { SocketOptionCalls } from './options.js';
import { Reception } from './reception.js';
import { createSystemClock } from './system-clock.js';
import { loadSystemCalls, type SystemCalls } from './system-calls.js';
import { Transmission } from './transmission.js';

/** All sockets of the engine share the functions and their memory. The memory is in use during one call only. */
export interface Machinery {
  readonly calls: SystemCalls;
  readonly options: SocketOptionCalls;
  readonly reception: Reception;
  readonly transmission: Transmission;
  /** Room for two socket addresses. */
  readonly names: Memory;
}

/** @throws {DatagramError} `UNSUPPORTED` where the engine cannot run, saying why */
export async function loadMachinery(): Promise<Machinery> {
  const calls = await loadSystemCalls();
  useSystemClock(createSystemClock(calls));
  return {
    calls,
    options: new SocketOptionCalls(calls),
    reception: new Reception(calls),
    transmission: new Transmission(calls),
    names: new Memory(64, calls.addressOf),
  };
}
