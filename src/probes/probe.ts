import type { Finding } from '../check/finding.js';
import type { Endpoint } from '../net/index.js';
import type { ArgumentTable, ArgumentValues } from './arguments.js';

/**
 * A request of a known protocol, and the judgement of the replies. To add a probe, write one file and add one line to
 * `table.ts`.
 */
export interface Probe<Table extends ArgumentTable = ArgumentTable> {
  /** What the probe asks for, in a few words, for the list of probes. */
  readonly summary: string;
  /** What a success proves, and what it does not prove. */
  readonly proves: string;
  /** The specification that the probe follows, with sections. */
  readonly source: string;
  /** The usual port of the service. The request goes there if the address names no port. */
  readonly port: number;
  /**
   * Which datagrams are replies:
   *
   * - `peer`: those from the address and port of the request.
   * - `host`: those from any port of that address. For protocols that reply from another port.
   * - `none`: the protocol has no replies.
   */
  readonly repliesFrom: 'peer' | 'host' | 'none';
  readonly arguments: Table;
  /** Checks arguments that depend on each other. @throws {ArgumentError} if they contradict each other */
  check?(values: ArgumentValues<Table>): void;
  /** Begins one run: makes the request, with a new random id if the protocol has one. */
  start(values: ArgumentValues<Table>, scene: Scene): ProbeRun | Promise<ProbeRun>;
}

/** The ends of a request. */
export interface Scene {
  /** The local endpoint, with its real port. Its address may be a wildcard. */
  readonly local: Endpoint;
  /** Where the request goes. */
  readonly remote: Endpoint;
}

/** One request, and the judgement of its replies. */
export interface ProbeRun {
  /** The payload of the request. `--retry` sends the same bytes again. */
  readonly request: Uint8Array;
  /**
   * Judges a reply. A reply to another request is no match, as far as the protocol shows it. Absent if the protocol has
   * no replies.
   *
   * @param data The payload of a datagram from the network. It can be any bytes of any length.
   * @throws {MalformedReply} if the payload is no message of the protocol
   */
  judge?(data: Uint8Array): Finding;
}

/** Declares a probe. Infers the types of its arguments from their table. */
export function defineProbe<Table extends ArgumentTable>(probe: Probe<Table>): Probe<Table> {
  return probe;
}

/** A reply is no message of the protocol. The text of the error says what is wrong. */
export class MalformedReply extends Error {
  override readonly name = 'MalformedReply';
}

/**
 * The reply is a success.
 *
 * @param says What the reply tells, for the user.
 * @param followUp A payload that is sent back, for example an acknowledgement.
 */
export function match(says: string, followUp?: Uint8Array): Finding {
  return { outcome: 'match', says, ...(followUp && { followUp }) };
}

/** The reply is to another request, or reports a failure. @param says which of them, for the user */
export function mismatch(says: string): Finding {
  return { outcome: 'mismatch', says };
}

/**
 * The reply belongs to the request, and another one will follow.
 *
 * @param says What the reply tells, for the user.
 * @param followUp A payload that is sent back. The server may wait for it.
 */
export function pending(says: string, followUp?: Uint8Array): Finding {
  return { outcome: 'pending', says, ...(followUp && { followUp }) };
}
