/** The traffic from the start until a moment. */
export interface Traffic {
  /** Datagrams. */
  readonly received: number;
  /** Bytes of their payloads. */
  readonly bytes: number;
  /** The moment, by any clock that does not go back. */
  readonly timeMs: number;
}

/** The rate of the traffic, averaged over a period. */
export interface Rate {
  /** Datagrams a second. */
  readonly perSecond: number;
  readonly bytesPerSecond: number;
}

/** The average rate between two moments; 0 if they are the same moment. */
export function rateBetween(earlier: Traffic, later: Traffic): Rate {
  const seconds = (later.timeMs - earlier.timeMs) / 1000;
  if (seconds <= 0) return { perSecond: 0, bytesPerSecond: 0 };
  return {
    perSecond: (later.received - earlier.received) / seconds,
    bytesPerSecond: (later.bytes - earlier.bytes) / seconds,
  };
}
