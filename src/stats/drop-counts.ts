import { describeCounts } from './counts-in-words.js';

/** Counts of the datagrams that were lost on this host. */
export class DropCounts {
  /** Datagrams that found the kernel's receive buffer full. Undefined where the system does not tell. */
  kernel: number | undefined;
  /** Whether the kernel may have dropped more than {@link kernel} says. */
  kernelIsLowerBound = false;
  /** Datagrams that found the queue of `--queue-size` full. */
  queue = 0;
  /** Datagrams that were taken from the queue, and could not be written. */
  output = 0;

  /** All drops together, as far as they are known. */
  get total(): number {
    return (this.kernel ?? 0) + this.queue + this.output;
  }

  /** A text for each place with drops, for example "3 dropped by the full queue". Empty if nothing was dropped. */
  describe(): readonly string[] {
    return describeCounts([
      { count: this.kernel ?? 0, says: 'dropped by the kernel', isLowerBound: this.kernelIsLowerBound },
      { count: this.queue, says: 'dropped by the full queue' },
      { count: this.output, says: 'dropped by the output' },
    ]);
  }
}
