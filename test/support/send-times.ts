/** Compares sending times, as the sender reports them, with the kernel's times of reception. */
import { expect } from '@jest/globals';
import { wallClockMs } from '../../src/net/clock.js';
import type { DatagramServer } from '../../src/net/index.js';

/**
 * How far a time may be off by rounding: to microseconds, and as a floating-point number of milliseconds since 1970.
 */
const ROUNDING_MS = 0.0015;

/** Resolves when the kernel stamps received datagrams. It begins a while after the first socket has asked for it. */
export async function stampedByKernel(receiver: DatagramServer): Promise<void> {
  for (;;) {
    await receiver.sendto('', receiver.local);
    const sentMs = wallClockMs();
    if ((await receiver.recvfrom()).timeMs <= sentMs) return;
  }
}

/**
 * Expects that each datagram was sent before it was received, and after the datagrams of earlier system calls were
 * received. On the loopback the kernel stamps a datagram during the call that sends it.
 *
 * @param sentMs in order of sending; datagrams with equal times may have left by one system call
 * @param leastCalls how many different sending times there must be at least
 * @param offMs how far the clocks of the sender and of the kernel may differ
 */
export function expectTimesOfCalls(
  sentMs: readonly number[],
  receivedMs: readonly number[],
  { leastCalls, offMs = 0 }: { readonly leastCalls: number; readonly offMs?: number },
): void {
  expect(receivedMs).toHaveLength(sentMs.length);
  expect(new Set(sentMs).size).toBeGreaterThanOrEqual(leastCalls);
  let callMs = sentMs[0] as number;
  let earlierMs = 0;
  let latestMs = 0;
  const wrong: string[] = [];
  for (const [index, ms] of sentMs.entries()) {
    const receivedAtMs = receivedMs[index] as number;
    if (ms < callMs) wrong.push(`datagram ${index} left ${callMs - ms} ms before the one before it`);
    if (ms > receivedAtMs + offMs + ROUNDING_MS) wrong.push(`datagram ${index} left ${ms - receivedAtMs} ms too late`);
    if (ms !== callMs) earlierMs = latestMs;
    if (ms < earlierMs - offMs - ROUNDING_MS) wrong.push(`datagram ${index} left ${earlierMs - ms} ms too early`);
    callMs = ms;
    latestMs = Math.max(latestMs, receivedAtMs);
  }
  expect(wrong).toEqual([]);
}
