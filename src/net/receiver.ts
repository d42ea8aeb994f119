import { checkFunction, checkRecord, wrongArgument } from './arguments.js';
import type { Run } from './datagram.js';
import type { EngineEvents } from './engines/engine.js';
import type { DatagramError } from './errors.js';
import { asRun } from './runs.js';
import { shielded } from './shielded.js';

/**
 * Takes datagrams as soon as they arrive, in place of the receive queue. For programs that pass datagrams on. An exception of
 * a function becomes an uncaught exception of the process.
 */
export interface Receiver {
  /**
   * How many datagrams there is room for. While it is 0 or less, the linux engine leaves datagrams in the kernel, and asks again
   * after `DatagramServer.resume`. The node engine does not ask.
   */
  room(): number;
  /**
   * Whether it uses payloads only until `take` returns, except that it may give them to `DatagramServer.sendRuns` before. The
   * linux engine then does not copy them: its next call overwrites their memory. Asked before each call of `take`. Default: it
   * does not.
   */
  borrows?(): boolean;
  /** Takes runs: at least one, in order of arrival. The array belongs to the receiver. */
  take(runs: Run[]): void;
  /** The socket can receive no more. */
  failed(error: DatagramError): void;
}

/** The events of an engine that go to a receiver. */
export function eventsOf(
  receiver: Receiver,
): Pick<EngineEvents, 'room' | 'takesRuns' | 'borrowsRuns' | 'runs' | 'datagrams' | 'failed'> {
  const take = shielded((runs: Run[]) => {
    receiver.take(runs);
  });
  return {
    room: () => receiver.room(),
    takesRuns: () => true,
    borrowsRuns: () => receiver.borrows?.() === true,
    runs: take,
    datagrams: (batch) => {
      take(batch.map(asRun));
    },
    failed: shielded((error) => {
      receiver.failed(error);
    }),
  };
}

/** Checks an optional receiver. @throws {DatagramError} `INVALID_OPTION` if it lacks one of its functions */
export function checkReceiver(receiver: Receiver | undefined): void {
  if (receiver === undefined) return;
  checkRecord('receiver', receiver);
  for (const name of ['room', 'take', 'failed', 'borrows'] as const) {
    const member = (receiver as unknown as Readonly<Record<string, unknown>>)[name];
    if (member !== undefined) checkFunction(`receiver.${name}`, member);
    else if (name !== 'borrows') throw wrongArgument(`receiver.${name}`, 'a function', member);
  }
}
