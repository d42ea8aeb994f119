import type { ByteWindow } from '../byte-window.js';

/** Reads one format of recordings. It calls the function of its constructor with each packet or datagram, in order. */
export interface Decoder {
  /**
   * Takes all complete records from the window.
   *
   * @throws {CaptureError} at the first broken record; the records before it were handed on
   */
  decode(window: ByteWindow): void;
  /**
   * Checks that no part of a record is left. Called once, at the end of the input.
   *
   * @throws {CaptureError} if the input ends in the middle of a record
   */
  end(window: ByteWindow): void;
}

/** Whether a number of milliseconds can be a time: from 1970 to 2255, the range in which microseconds are exact. */
export function isTime(timeMs: number): boolean {
  return timeMs >= 0 && timeMs * 1000 <= Number.MAX_SAFE_INTEGER;
}
