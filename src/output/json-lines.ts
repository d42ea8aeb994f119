import { isUtf8 } from 'node:buffer';
import { type Datagram, type Endpoint, formatEndpoint } from '../net/index.js';
import { escapeJson } from '../text/escape.js';
import { formatTime } from '../text/time.js';

/** The version of the lines: within it fields and types may be added, and none changes its meaning. */
const VERSION = 1;

/** An event on a line of its own; `time` is when it is written. */
export type JsonEvent =
  /** `seed` where answers have faults. */
  | { readonly type: 'listening'; readonly address: string; readonly seed?: number }
  | { readonly type: 'error'; readonly code: string; readonly message: string; readonly peer?: string }
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
      readonly rttMs?: number;
      readonly address: string;
      /** The name of the probe, and what it learned or why it failed. */
      readonly probe?: string;
      readonly says?: string;
      /** Replies that differ from a recording, and its answers that did not come: how many, and the numbers of the first. */
      readonly differs?: { readonly total: number; readonly numbers: readonly number[] };
      readonly missing?: { readonly total: number; readonly numbers: readonly number[] };
    }
  | ({ readonly type: 'summary' } & SummaryFields);

/** The totals of a run. */
export interface SummaryFields {
  /** Datagrams that the kernel took. */
  readonly sent: number;
  /** Datagrams that were taken in. */
  readonly received: number;
  /** Datagrams lost, by where; null where it cannot be known. */
  readonly dropped: { readonly kernel: number | null; readonly queue: number; readonly output: number };
  /** Only where the kernel may have dropped more than it counted. */
  readonly kernelIsLowerBound?: true;
  readonly durationMs: number;
}

/** One event as a line, with its newline. */
export function formatEvent({ type, ...fields }: JsonEvent, timeMs: number): string {
  return `${escapeJson(JSON.stringify({ v: VERSION, type, time: formatTime(timeMs), ...fields }))}\n`;
}

/**
 * One datagram as a line, with its newline.
 *
 * @param bound The bound address, which stands as `local` where the datagram's own destination is not known.
 */
export function formatDatagram(datagram: Datagram, dir: 'in' | 'out', bound: Endpoint): string {
  const { data, remote, local, timeMs } = datagram;
  const peer = `"${dir === 'in' ? 'from' : 'to'}":"${formatEndpoint(remote)}"`;
  const own =
    local === undefined
      ? `"local":"${formatEndpoint(bound)}"`
      : `"${dir === 'in' ? 'to' : 'from'}":"${formatEndpoint(local)}"`;
  const time = formatTime(timeMs);
  const payload = payloadMember(data);
  return `{"v":${VERSION},"type":"datagram","time":"${time}","dir":"${dir}",${peer},${own},"size":${data.length},${payload}}\n`;
}

function payloadMember(data: Uint8Array): string {
  const { data: text, base64 = '' } = payloadFields(data);
  return text === undefined ? `"base64":"${base64}"` : `"data":${escapeJson(JSON.stringify(text))}`;
}

/** A payload as text if it is valid UTF-8, so that it is exact, else as base64. */
export function payloadFields(data: Uint8Array): { data?: string; base64?: string } {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return isUtf8(bytes) ? { data: bytes.toString('utf8') } : { base64: bytes.toString('base64') };
}
