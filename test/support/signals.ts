/** Waits for what a process does with signals. Only the kernel tells: `SigCgt` and `ShdPnd` in proc_pid_status(5). */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Waits until a process has a handler for a signal. */
export async function catches(pid: number, signal: NodeJS.Signals): Promise<void> {
  while (!isIn('SigCgt', pid, signal)) await delay(1);
}

/** Waits until a process has taken a signal that was sent to it. A second one before that would be lost (signal(7)). */
export async function hasTaken(pid: number, signal: NodeJS.Signals): Promise<void> {
  while (isIn('ShdPnd', pid, signal)) await delay(1);
}

function isIn(mask: 'SigCgt' | 'ShdPnd', pid: number, signal: NodeJS.Signals): boolean {
  const [, hex = '0'] =
    RegExp(`^${mask}:\\s*([\\da-f]+)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (BigInt(`0x${hex}`) & (1n << BigInt(constants.signals[signal] - 1))) !== 0n;
}
