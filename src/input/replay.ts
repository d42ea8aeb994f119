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

/** How many datagrams of a recording were read, and how many of them belong to neither side of what is replayed. */
export interface ReplayCounts {
  all: number;
  others: number;
}

/** How many pairs of ends are remembered, so that answers are known by being the other way round. */
const MAX_PAIRS = 64 * 1024;

/**
 * A recording in its order, and what is to be replayed of it: without a filter what went to the receiver of the first
 * datagram. Answers are what went the other way between the same ends, after the first that is replayed of them: what came
 * before it is of role `other`, though `counts` leaves it out as soon as that is known.
 *
 * @throws {CaptureError} at what is broken; all before it was given
 */
export async function* selectReplay(
  chunks: AsyncIterable<Uint8Array>,
  filter: ReplayFilter | undefined,
  tally: SkipTally,
  counts: ReplayCounts,
): AsyncGenerator<readonly Replayed[], undefined> {
  let chosen = filter === undefined ? undefined : matcherOf(filter);
  const pairs = new Set<string>();
  /** By pair, those counted as others so far that may prove to be the other side. */
  const others = new Map<string, number>();
  for await (const batch of readCapture(chunks, tally)) {
    const replayed: Replayed[] = [];
    for (const datagram of batch) {
      counts.all += 1;
      chosen ??= receiverOf(datagram);
      const { source, destination, timeMs, data } = datagram;
      const [pair, reverse] = [pairOf(source, destination), pairOf(destination, source)];
      let role: Replayed['role'] = 'request';
      if (chosen(datagram)) {
        if (pairs.size < MAX_PAIRS) pairs.add(pair);
        counts.others -= others.get(reverse) ?? 0;
        others.delete(reverse);
      } else if (pairs.has(reverse)) {
        role = 'answer';
      } else {
        role = 'other';
        counts.others += 1;
        if (others.has(pair) || others.size < MAX_PAIRS) others.set(pair, (others.get(pair) ?? 0) + 1);
      }
      replayed.push({ role, number: counts.all, timeMs, data });
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
