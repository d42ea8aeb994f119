import { isUtf8 } from 'node:buffer';
import type { Datagram } from '../net/index.js';
import { escapeJson } from '../text/escape.js';
import { formatTime } from '../text/time.js';

/** The version of the lines. New fields and types can be added to a version. No field changes its meaning. */
export const JSON_LINES_VERSION = 1;

/** An event, written as a line of its own. `formatEvent` adds the time. */
export type JsonEvent =
  /** The server is bound to `address`. `seed` is that of the faults, if responses have faults. */
  | {
      readonly type: 'listening';
      readonly address: string;
      readonly joined?: readonly string[];
      readonly seed?: number;
      /** The address that a relay passes datagrams on to. */
      readonly target?: string;
      /** The name of a relay, if there can be several. The same holds for all events of relays. */
      readonly relay?: string;
    }
  /** A server of HTTP that changes relays. */
  | { readonly type: 'http'; readonly address: string }
  | {
      readonly type: 'error';
      readonly code: string;
      readonly message: string;
      readonly peer?: string;
      readonly session?: number;
      readonly relay?: string;
    }
  /** A session of a relay was opened. */
  | {
      readonly type: 'session';
      readonly relay?: string;
      readonly session: number;
      readonly client: string;
      readonly source: string;
      readonly target: string;
    }
  /** A session of a relay has ended. `up` and `down` are its counts. */
  | {
      readonly type: 'sessionEnd';
      readonly relay?: string;
      readonly session: number;
      readonly reason: string;
      readonly durationMs: number;
      readonly up: object;
      readonly down: object;
    }
  /** A session of a relay has a new source port. */
  | { readonly type: 'rebind'; readonly relay?: string; readonly session: number; readonly source: string }
  /** The faults of a relay that hold from now on. `toxics`: as HTTP has them, after a change. */
  | {
      readonly type: 'faults';
      readonly relay?: string;
      readonly seed: number;
      readonly up: object;
      readonly down: object;
      readonly toxics?: readonly object[];
    }
  /** New sessions of a relay go to this address from now on. */
  | { readonly type: 'target'; readonly relay?: string; readonly target: string }
  | {
      readonly type: 'stray';
      readonly from: string;
      readonly size: number;
      readonly data?: string;
      readonly base64?: string;
    }
  | { readonly type: 'drop'; readonly where: 'kernel' | 'queue' | 'output'; readonly count: number }
  | {
      readonly type: 'verdict';
      readonly verdict: string;
      readonly replies: number;
      /** Replies that came in time and were not judged in time. Absent if there are none. */
      readonly unjudged?: number;
      readonly rttMs?: number;
      readonly address: string;
      /** The name of the probe. */
      readonly probe?: string;
      /** What the reply told the probe, or why the probe failed. */
      readonly says?: string;
      /** Replies that differ from the recording: how many, and the numbers of the first ones. */
      readonly differs?: { readonly total: number; readonly numbers: readonly number[] };
      /** Expected replies that did not come: how many, and the numbers of the first ones. */
      readonly missing?: { readonly total: number; readonly numbers: readonly number[] };
    }
  | ({ readonly type: 'summary' } & SummaryFields);

/** The totals of a run. */
export interface SummaryFields {
  /** Datagrams that the kernel accepted for sending. */
  readonly sent: number;
  /** Datagrams that were received and not dropped. */
  readonly received: number;
  /** Lost datagrams, by place. `kernel` is null if the kernel's number is not known. */
  readonly dropped: { readonly kernel: number | null; readonly queue: number; readonly output: number };
  /** Set if the kernel may have dropped more datagrams than it counted. */
  readonly kernelIsLowerBound?: true;
  /** Duration of the run in milliseconds. */
  readonly durationMs: number;
}

/** Formats an event as a line, newline included. @param timeMs milliseconds since the epoch */
export function formatEvent({ type, ...fields }: JsonEvent | { readonly type: string }, timeMs: number): string {
  return `${escapeJson(JSON.stringify({ v: JSON_LINES_VERSION, type, time: formatTime(timeMs), ...fields }))}\n`;
}

/** What a relay knows of a datagram. */
export interface DatagramNote {
  /** The side that sent it. */
  readonly side: 'client' | 'server';
  /** The name of the relay, if there can be several. */
  readonly relay?: string;
  /** The number of the session. Absent if the datagram has none. */
  readonly session?: number;
  /** The fault or the bound that took the datagram away. Absent if it was passed on. */
  readonly fate?: string;
}

/** A datagram that may be one of a relay. */
export interface NotedDatagram extends Datagram {
  readonly note?: DatagramNote | undefined;
}

/** Encodes a payload: as the text `data` if it is valid UTF-8, otherwise as `base64`. So every payload is exact. */
export function payloadFields(data: Uint8Array): { data?: string; base64?: string } {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return isUtf8(bytes) ? { data: bytes.toString('utf8') } : { base64: bytes.toString('base64') };
}
