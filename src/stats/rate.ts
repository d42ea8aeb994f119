/** How much had come at some time. */
export interface Traffic {
  readonly received: number;
  readonly bytes: number;
  /** By any clock that does not go back. */
  readonly timeMs: number;
}

/** How fast it comes. */
export interface Rate {
  readonly perSecond: number;
  readonly bytesPerSecond: number;
}

/** The rate between two times; nothing at all if they are the same. */
export function rateBetween(earlier: Traffic, later: Traffic): Rate {
  const seconds = (later.timeMs - earlier.timeMs) / 1000;
  if (seconds <= 0) return { perSecond: 0, bytesPerSecond: 0 };
  return {
    perSecond: (later.received - earlier.received) / seconds,
    bytesPerSecond: (later.bytes - earlier.bytes) / seconds,
  };
}
