/** Time that this process works, which another program on the same machine does not lengthen much. */

/** Milliseconds of processor time that this process, all threads of it, has used so far. */
export function cpuTimeMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
