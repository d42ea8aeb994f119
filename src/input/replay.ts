import { readCapture } from '../capture/reader.js';
import type { CapturedDatagram } from '../capture/captured-datagram.js';
import type { SkipTally } from '../capture/skip-tally.js';
import { type Endpoint, formatEndpoint } from '../net/index.js';

/** Which datagrams of a recording are sent: those from, or to, an address, a port or both. */
export interface ReplayFilter {
  readonly end: 'src' | 'dst';
  readonly address: string | undefined;
  readonly port: number | undefined;
}

/** One datagram of a recording: one that is to be sent, that answered one, or of another conversation. */
export interface Replayed {
  readonly role: 'request' | 'answer' | 'other';
  /** Its place in the recording, among all its datagrams, from 1. */
  readonly number: number;
  /** When it was recorded, in milliseconds since the epoch. */
  readonly timeMs: number;
  readonly data: Uint8Array;
}

/** How many pairs of ends are remembered, so that answers are known by being the other way round. */
const MAX_PAIRS = 64 * 1024;

/**
 * A recording in its order, and what is to be replayed of it: without a filter what went to the receiver of the first
 * datagram. Answers are what went the other way between the same ends.
 *
 * @throws {CaptureError} at what is broken; all before it was given
 */
export async function* selectReplay(
  chunks: AsyncIterable<Uint8Array>,
  filter: ReplayFilter | undefined,
  tally: SkipTally,
): AsyncGenerator<readonly Replayed[], undefined> {
  let chosen = filter === undefined ? undefined : matcherOf(filter);
  const pairs = new Set<string>();
  let number = 0;
  for await (const batch of readCapture(chunks, tally)) {
    const replayed: Replayed[] = [];
    for (const datagram of batch) {
      number += 1;
      chosen ??= receiverOf(datagram);
      const { source, destination, timeMs, data } = datagram;
      let role: Replayed['role'] = pairs.has(pairOf(destination, source)) ? 'answer' : 'other';
      if (chosen(datagram)) {
        if (pairs.size < MAX_PAIRS) pairs.add(pairOf(source, destination));
        role = 'request';
      }
      replayed.push({ role, number, timeMs, data });
    }
    yield replayed;
  }
}

/** Where a receiver heard both families, and did not learn its own address, packets have the one of their own. */
const WILDCARDS: readonly string[] = ['0.0.0.0', '::'];

type Matcher = (datagram: CapturedDatagram) => boolean;

function receiverOf({ destination: { address, port } }: CapturedDatagram): Matcher {
  if (!WILDCARDS.includes(address)) return matcherOf({ end: 'dst', address, port });
  return ({ destination }) => destination.port === port && WILDCARDS.includes(destination.address);
}

function matcherOf({ end, address, port }: ReplayFilter): Matcher {
  return ({ source, destination }) => {
    const { address: itsAddress, port: itsPort } = end === 'src' ? source : destination;
    return (address === undefined || address === itsAddress) && (port === undefined || port === itsPort);
  };
}

function pairOf(from: Endpoint, to: Endpoint): string {
  return `${formatEndpoint(from)} ${formatEndpoint(to)}`;
}
