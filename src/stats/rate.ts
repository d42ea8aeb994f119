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

/** The datagrams of one direction, from the first to the last. */
export interface Flow {
  readonly count: number;
  /** Bytes of all payloads. */
  readonly bytes: number;
  /** The time from the first datagram to the last, in milliseconds. */
  readonly durationMs: number;
}

/** The rate of a flow. */
export interface FlowRate {
  /** Datagrams a second. */
  readonly perSecond: number;
  /** Bits of payloads a second. */
  readonly bitsPerSecond: number;
}

/**
 * The average rate of a flow. Undefined for a single datagram.
 *
 * @param wholeMs the duration of the run, for datagrams that came all at once
 */
export function rateOf({ count, bytes, durationMs }: Flow, wholeMs: number): FlowRate | undefined {
  if (count < 2) return undefined;
  // Between n datagrams there are n - 1 intervals.
  const perSecond = durationMs > 0 ? ((count - 1) / durationMs) * 1000 : (count / wholeMs) * 1000;
  return { perSecond, bitsPerSecond: perSecond * (bytes / count) * 8 };
}
