import type { ByteWindow } from '../byte-window.js';

/** Reads one format of recordings, in chunks of any size. It gives what it finds, in order, to the function of its constructor. */
export interface Decoder {
  /**
   * Takes from the window all that is complete there.
   *
   * @throws {CaptureError} At what is broken; all before it was given.
   */
  decode(window: ByteWindow): void;
  /**
   * The input is over.
   *
   * @throws {CaptureError} If it ends in the middle.
   */
  end(window: ByteWindow): void;
}

/** Whether a number can be the time of a {@link Packet}: whole microseconds up to there are exact. */
export function isTime(timeMs: number): boolean {
  return timeMs >= 0 && timeMs * 1000 <= Number.MAX_SAFE_INTEGER;
}
