/** Measures processor time, which other programs on the machine hardly lengthen. */

/** Returns the processor time, in milliseconds, that all threads of this process have used so far. */
export function cpuTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
