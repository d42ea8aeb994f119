/** The times of those datagrams of a batch that the kernel took, in order; see `SendBatchOptions.timesMs`, zeros at first. */
export function timesOfTaken(timesMs: Float64Array): Float64Array {
  return timesMs.includes(0) ? timesMs.filter((timeMs) => timeMs !== 0) : timesMs;
}
