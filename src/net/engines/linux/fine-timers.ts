import type { OpenFineTimer } from '../../fine-timer.js';
import { CLOCK_MONOTONIC, TFD_CLOEXEC, TFD_NONBLOCK } from './constants.js';
import { Memory } from './memory.js';
import type { SystemCalls, Watch } from './system-calls.js';
import type { Watches } from './watches.js';

/** Size of `struct itimerspec`, and offset of the time until it rings, in bytes (timerfd_settime(2)). */
const ITIMERSPEC = { bytes: 32, value: 16 };
/** The shortest time in milliseconds. Many moments that follow each other closely then ring together. */
const LEAST_MS = 0.05;

/** Returns a function that opens timers of timerfd_create(2), which count in nanoseconds. Undefined if the system has no more. */
export function createFineTimers(calls: SystemCalls, watches: Watches): OpenFineTimer {
  const memory = new Memory(ITIMERSPEC.bytes, calls.addressOf);
  /** Sets a timer; 0 stops it. In both cases its descriptor is no longer ready. */
  const settle = (fd: number, delayMs: number): void => {
    const seconds = Math.floor(delayMs / 1000);
    memory.setSize(ITIMERSPEC.value, seconds);
    memory.setSize(ITIMERSPEC.value + 8, Math.floor((delayMs - seconds * 1000) * 1e6));
    calls.timerfd_settime(fd, 0, memory.address, 0);
  };
  return (ring) => {
    const fd = calls.timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (fd < 0) return undefined;
    /** Grows with each setting, and when the timer is closed. */
    let changes = 0;
    const onReady = (): void => {
      const before = changes;
      // Promises do not run in the callback of a watch.
      setImmediate(() => {
        // The timer was set again or closed meanwhile.
        if (changes > before) return;
        ring();
        // The descriptor stays ready until the timer is set. Mostly `ring` has set it: each such call takes several microseconds.
        if (changes === before) settle(fd, 0);
      });
    };
    let watch: Watch;
    try {
      watch = watches.watch(fd, { readable: true, writable: false }, onReady);
    } catch {
      calls.close(fd);
      return undefined;
    }
    return {
      set: (delayMs) => {
        changes += 1;
        settle(fd, Math.max(delayMs, LEAST_MS));
      },
      close: () => {
        changes += 1;
        watch.close();
        calls.close(fd);
      },
    };
  };
}
