/** Processes of the system, by their numbers. */
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Whether a process runs. One that has ended, and that nobody waited for, does not. */
export function isRunning(pid: number): boolean {
  try {
    // Without /proc, a process that nobody waited for cannot be told from one that runs.
    if (!existsSync('/proc')) return process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** Resolves when a process has ended: nothing tells that of a process that is not a child. */
export async function ended(pid: number): Promise<void> {
  while (isRunning(pid)) await delay(10);
}
