/**
 * Returns the sending times of the datagrams that the kernel took, in order. `timesMs` is the array of
 * `SendBatchOptions.timesMs`, filled with zeros before the batch was sent: the others are still 0.
 */
export function timesOfTaken(timesMs: Float64Array): Float64Array {
  return timesMs.includes(0) ? timesMs.filter((timeMs) => timeMs !== 0) : timesMs;
}
