import type { EventEmitter } from 'node:events';
import type { Arrivals, Datagram } from './datagram.js';
import type { Endpoint } from './address/endpoint.js';
import type { EngineEvents } from './engines/engine.js';
import type { DatagramError } from './errors.js';
import type { ReceiveQueue } from './receive-queue.js';
import { eventsOf, type Receiver } from './receiver.js';
import { arrivalOf } from './runs.js';
import { shielded } from './shielded.js';
import type { Strays } from './socket-options.js';

/** Events of servers and clients. An exception of a listener becomes an uncaught exception of the process. */
export interface DatagramSocketEvents {
  /** An ICMP error came back for an earlier datagram: `REFUSED`, `UNREACHABLE`, `TOO_LARGE`. The socket goes on. */
  peerError: [error: DatagramError];
  /**
   * The system had no memory to receive with: `RECEIVE_FAILED`, caused by `ENOMEM` or `ENOBUFS`. No datagram is lost:
   * they wait in the kernel's buffer. The socket tries again at once, then after pauses of up to 100 ms.
   */
  receiveError: [error: DatagramError];
  /** The receive queue was full, and `count` datagrams were dropped since the last event. */
  drop: [count: number];
  /** Datagrams came from other addresses than the peer. Only with `strays: 'report'`. */
  strays: [batch: readonly Datagram[]];
}

/** Who takes the datagrams of a socket. */
export interface Takers {
  /** See `ClientOptions`. Default: `report`. */
  readonly strays?: Strays;
  /** See `ServerOptions`. Default: none. */
  readonly onArrivals?: ((arrivals: Arrivals) => void) | undefined;
  /** See `ServerOptions`. Default: none. */
  readonly receiver?: Receiver | undefined;
}

/** The parts of a socket that the events of its engine concern. */
interface Concerned {
  readonly emitter: EventEmitter<DatagramSocketEvents>;
  readonly queue: ReceiveQueue;
  readonly isAborted: () => boolean;
  /** Whether datagrams from this address are the socket's own, which come back from a group or a broadcast. */
  readonly isOwn: (remote: Endpoint) => boolean;
}

/** Makes the events that a socket's engine tells: each datagram goes to its taker, and errors become events of the socket. */
export function engineEvents(
  { strays = 'report', onArrivals, receiver }: Takers,
  { emitter, queue, isAborted, isOwn }: Concerned,
): EngineEvents {
  const tellOf = onArrivals && shielded(onArrivals);
  const tellOfStrays = shielded((batch: readonly Datagram[]) => emitter.emit('strays', batch));
  return {
    room: () => queue.appetite,
    datagrams: (batch) => {
      if (tellOf === undefined) queue.push(batch);
      else {
        for (const datagram of batch) {
          // The callback may call `abort`.
          if (isAborted()) break;
          tellOf(arrivalOf(datagram));
        }
      }
    },
    takesRuns: () => queue.takesRuns,
    borrowsRuns: () => queue.borrowsRuns,
    runs: (runs) => {
      queue.pushRuns(runs);
    },
    arrivals: tellOf,
    strays: (batch) => {
      const others = batch.filter(({ remote }) => !isOwn(remote));
      if (others.length === 0 || strays === 'ignore') return;
      if (strays === 'receive') queue.push(others);
      else tellOfStrays(others);
    },
    peerError: shielded((error) => emitter.emit('peerError', error)),
    receiveError: shielded((error) => emitter.emit('receiveError', error)),
    failed: (error) => {
      queue.end(error);
    },
    ...(receiver && eventsOf(receiver)),
  };
}
