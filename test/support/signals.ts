/** What a process has done about signals, of which nothing but the system tells (proc(5), `SigCgt` and `ShdPnd`). */
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** Waits until a process takes the signal itself. */
export async function catches(pid: number, signal: NodeJS.Signals): Promise<void> {
  while (!isIn('SigCgt', pid, signal)) await delay(1);
}

/** Waits until a process has taken the signal that was sent to it: one more would have been the same one until then. */
export async function hasTaken(pid: number, signal: NodeJS.Signals): Promise<void> {
  while (isIn('ShdPnd', pid, signal)) await delay(1);
}

function isIn(mask: 'SigCgt' | 'ShdPnd', pid: number, signal: NodeJS.Signals): boolean {
  const [, hex = '0'] =
    RegExp(`^${mask}:\\s*([\\da-f]+)$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (BigInt(`0x${hex}`) & (1n << BigInt(constants.signals[signal] - 1))) !== 0n;
}
