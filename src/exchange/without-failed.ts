import type { SendFailure } from '../net/index.js';

/** The payloads that the kernel took, in the same order. */
export function withoutFailed(
  payloads: readonly Uint8Array[],
  failures: readonly SendFailure[],
): readonly Uint8Array[] {
  if (failures.length === 0) return payloads;
  const failed = new Set(failures.map(({ index }) => index));
  return payloads.filter((_, index) => !failed.has(index));
}
