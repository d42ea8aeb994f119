/** Compares when datagrams were sent, as the sender says it, with when the kernel received them. */
import { expect } from '@jest/globals';
import { wallClockMs } from '../../src/net/clock.js';
import type { DatagramServer } from '../../src/net/index.js';

/** What a time of microseconds, and a fraction of milliseconds since 1970, is off at most. */
const ROUNDING_MS = 0.0015;

/** Resolves once the kernel stamps what arrives: it begins to a while after the first socket has asked for it. */
export async function stampedByKernel(receiver: DatagramServer): Promise<void> {
  for (;;) {
    await receiver.sendto('', receiver.local);
    const sentMs = wallClockMs();
    if ((await receiver.recvfrom()).timeMs <= sentMs) return;
  }
}

/**
 * Expects each datagram to have left before it was received, and after those of earlier system calls were received: on
 * the loopback the kernel stamps a datagram within the call that sends it.
 *
 * @param sentMs in order of sending; datagrams of one time may have left by one call
 * @param offMs how far the clock of the sender may be from that of the kernel
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
