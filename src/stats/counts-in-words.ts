/** One count of a summary. */
export interface Count {
  readonly count: number;
  /** The words after the number, for example "denied". */
  readonly says: string;
  /** Whether the real number may be larger. Default: false. */
  readonly isLowerBound?: boolean;
}

/** Counts in words, for example "3 denied" or "at least 2 dropped by the kernel". A count that is certainly 0 is left out. */
export function describeCounts(counts: readonly Count[]): readonly string[] {
  return counts
    .filter(({ count, isLowerBound }) => count > 0 || isLowerBound === true)
    .map(({ count, says, isLowerBound }) => `${isLowerBound === true ? 'at least ' : ''}${count} ${says}`);
}
