import type { Finding } from '../check/finding.js';
import type { Endpoint } from '../net/index.js';
import type { ArgumentTable, ArgumentValues } from './arguments.js';

/** A request of a known protocol, and the judgement of what comes back. One of them is one file and one line in `table.ts`. */
export interface Probe<Table extends ArgumentTable = ArgumentTable> {
  /** What it asks for, in a few words that follow the name in a list. */
  readonly summary: string;
  /** What a success proves, and what it does not. */
  readonly proves: string;
  /** The specification it is written from, with sections. */
  readonly source: string;
  /** The port on which the service usually is; it is never filled in. */
  readonly port: number;
  /**
   * Whose datagrams are replies: those of the address asked (`peer`), of any port of its host (`host`, for protocols that
   * answer from another port), or nobody's, because nothing answers (`none`).
   */
  readonly repliesFrom: 'peer' | 'host' | 'none';
  readonly arguments: Table;
  /** Checks what the arguments can contradict each other in. @throws {ArgumentError} */
  check?(values: ArgumentValues<Table>): void;
  /** Begins one run: writes the request, with whatever makes it unlike any other. */
  start(values: ArgumentValues<Table>, scene: Scene): ProbeRun | Promise<ProbeRun>;
}

/** What is known when a request is written. */
export interface Scene {
  /** The local address, with the port that was chosen; its address may be a wildcard. */
  readonly local: Endpoint;
  /** Where the request goes. */
  readonly remote: Endpoint;
}

/** One request, and the judgement of its replies. */
export interface ProbeRun {
  /** What is sent, and sent again with `--retry`. */
  readonly request: Uint8Array;
  /**
   * What a reply says. Never a match for one to another request, as far as the protocol can tell. Absent where nothing
   * answers.
   *
   * @param data Whatever a stranger chose to send: any bytes, of any length.
   * @throws {MalformedReply} for bytes that are no message of the protocol
   */
  judge?(data: Uint8Array): Finding;
}

/** A probe, with the types of its arguments inferred from their table. */
export function defineProbe<Table extends ArgumentTable>(probe: Probe<Table>): Probe<Table> {
  return probe;
}

/** Bytes that are no message of the protocol; the message says what is wrong with them. */
export class MalformedReply extends Error {
  override readonly name = 'MalformedReply';
}

/** The reply is what was asked for; `says` what was learned from it. */
export function match(says: string, followUp?: Uint8Array): Finding {
  return { outcome: 'match', says, ...(followUp && { followUp }) };
}

/** The reply answers another request, or reports a failure; `says` which. */
export function mismatch(says: string): Finding {
  return { outcome: 'mismatch', says };
}

/** The reply belongs to the exchange, and what was asked for is still to come, perhaps after `followUp` was sent. */
export function pending(says: string, followUp?: Uint8Array): Finding {
  return { outcome: 'pending', says, ...(followUp && { followUp }) };
}
