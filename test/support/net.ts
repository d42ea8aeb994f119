/** Helpers of the tests of src/net. */
import { readFileSync } from 'node:fs';
import { DatagramError, type DatagramSocket } from '../../src/net/index.js';
import type { Family } from './sockets.js';

/** A payload as text. */
export function text(data: Uint8Array): string {
  return Buffer.from(data).toString('utf8');
}

/** The DatagramError that a promise rejects with; anything else fails the test. */
export async function datagramError(promise: Promise<unknown>): Promise<DatagramError> {
  let value: unknown;
  try {
    value = await promise;
  } catch (error) {
    if (error instanceof DatagramError) return error;
    throw error;
  }
  throw new Error(`expected a DatagramError, got ${String(value)}`);
}

/** Resolves once so many datagrams have reached the receive queue, those dropped there included. */
export async function queuedIn(socket: DatagramSocket, count: number): Promise<void> {
  while (socket.queued + socket.dropped < count) await socket.poll();
}

/** Datagrams that this host has transmitted so far, as the kernel counts them. */
export function outDatagrams(family: Family): number {
  if (family === 6) {
    const found = /^Udp6OutDatagrams\s+(\d+)$/m.exec(readFileSync('/proc/net/snmp6', 'utf8'));
    return Number(found?.[1]);
  }
  const [names = '', values = ''] = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Udp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('OutDatagrams')]);
}
