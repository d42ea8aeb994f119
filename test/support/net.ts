/** Helpers of the tests of src/net. */
import { readFileSync } from 'node:fs';
import { DatagramError, type DatagramSocket } from '../../src/net/index.js';
import type { Family } from './sockets.js';

/** Returns a payload as text. */
export function text(data: Uint8Array): string {
  return Buffer.from(data).toString('utf8');
}

/** Returns the DatagramError with which a promise rejects. Throws if it resolves, or rejects with another error. */
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

/** Resolves when `count` datagrams have reached the receive queue. Datagrams that the queue dropped count too. */
export async function queuedIn(socket: DatagramSocket, count: number): Promise<void> {
  while (socket.queued + socket.dropped < count) await socket.poll();
}

/** Returns how many datagrams this host has sent so far, by the count of the kernel. */
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
