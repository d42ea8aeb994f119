/** Sends floods of datagrams, and stops processes meanwhile. */
import { readFileSync } from 'node:fs';
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises';
import { hostAndPort, type Peer } from './sockets.js';
import type { Running } from './udpcat.js';

/** Size of each payload of a flood in bytes. The payload is the number of the datagram, padded with zeros. */
export const FLOOD_BYTES = 20;

/** Sends `count` numbered datagrams at a rate. Resolves when the kernel has taken all. */
export async function flood(peer: Peer, address: string, count: number, ratePerSecond = Infinity): Promise<void> {
  const { host, port } = hostAndPort(address);
  const startMs = performance.now();
  for (let sent = 0; sent < count;) {
    const due = Math.min(count, Math.ceil(((performance.now() - startMs + 1) / 1000) * ratePerSecond));
    const burst = Math.min(due - sent, 64);
    if (burst <= 0) {
      await delay(1);
      continue;
    }
    await Promise.all(
      Array.from(
        { length: burst },
        (_, index) =>
          new Promise<void>((resolve, reject) => {
            const payload = String(sent + index).padStart(FLOOD_BYTES, '0');
            peer.socket.send(payload, port, host, (error) => {
              if (error === null) resolve();
              else reject(error);
            });
          }),
      ),
    );
    sent += burst;
    // Let the event loop read other sockets of the test.
    await nextTurn();
  }
}

/** Stops a process with SIGSTOP, so that datagrams for it wait in the kernel. Resolves when it has stopped. */
export async function standStill({ pid, kill }: Pick<Running, 'pid' | 'kill'>): Promise<void> {
  kill('SIGSTOP');
  while (!/\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))) await delay(1);
}
