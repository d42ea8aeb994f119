import type { Flow } from './rate.js';

/** Counts the datagrams of one direction. */
export class FlowMeter implements Flow {
  #count = 0;
  #bytes = 0;
  #firstMs = Infinity;
  #lastMs = -Infinity;

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get durationMs(): number {
    return Math.max(0, this.#lastMs - this.#firstMs);
  }

  /** Adds datagrams. `firstMs` and `lastMs` are the times of the first and the last of them, by any one clock. */
  add(count: number, bytes: number, firstMs: number, lastMs = firstMs): void {
    this.#count += count;
    this.#bytes += bytes;
    if (firstMs < this.#firstMs) this.#firstMs = firstMs;
    if (lastMs > this.#lastMs) this.#lastMs = lastMs;
  }
}

/** The bytes of all payloads together. */
export function bytesOf(payloads: readonly Uint8Array[]): number {
  let bytes = 0;
  for (const { length } of payloads) bytes += length;
  return bytes;
}
