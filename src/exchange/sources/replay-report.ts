import type { Skipped, SkipTally } from '../../record/skip-tally.js';
import type { Unselected } from '../../record/replay.js';
import type { ReplayFilter } from '../../record/replay-filter.js';
import { formatCount } from '../../text/quantity.js';
import type { NotSent } from '../../stats/totals.js';
import type { Notes } from './source.js';

/** The maximum number of receivers that a line names. */
const MAX_TOLD = 5;
/** The maximum number of receivers that JSON names. */
const MAX_LISTED = 100;
/** The maximum number of kinds of packets that a line names. */
const MAX_KINDS = 10;

/** Describes packets without a whole datagram, for example `10 TCP`. */
function describeSkipped({ kind, name = '', count }: Skipped): string {
  const number = formatCount(count);
  switch (kind) {
    case 'cut':
      return `${number} cut short by the capture`;
    case 'fragment':
      return `${number} ${count === 1 ? 'fragment of a datagram that is' : 'fragments of datagrams that are'} not all there`;
    case 'malformed':
      return `${number} malformed`;
    case 'not-read':
      return `${number} of a kind that is not read: ${name}`;
    case 'not-udp':
      return `${number} ${name}`;
  }
}

/** The content of a recording that was not sent. */
export interface LeftOut {
  readonly unselected: Unselected;
  readonly tally: SkipTally;
  /** Whether the recorded responses were compared with the replies. If so, they do not count as left out. */
  readonly comparesReplies: boolean;
}

/** The content that was not sent, by kind, as it stands in the summary's JSON. */
export function listNotSent({ unselected, tally, comparesReplies }: LeftOut): readonly NotSent[] {
  const { responses, receivers, more } = unselected;
  const unnamed = more + sum(receivers.slice(MAX_LISTED));
  return [
    ...(responses > 0 && !comparesReplies ? [{ kind: 'answer', count: responses }] : []),
    ...receivers.slice(0, MAX_LISTED).map(({ to, count }) => ({ kind: 'other receiver', to, count })),
    ...(unnamed > 0 ? [{ kind: 'other receiver', count: unnamed }] : []),
    ...tally.entries().map(({ kind, name, count }) => ({ kind, ...(name !== undefined && { name }), count })),
  ];
}

/** The content that was not sent, in words. Empty if everything was sent. */
function describeNotSent({ unselected, tally, comparesReplies }: LeftOut): string {
  const { responses, receivers, more } = unselected;
  const unnamed = more + sum(receivers.slice(MAX_TOLD));
  const kinds = tally.entries();
  const otherKinds = sum(kinds.slice(MAX_KINDS));
  const words = [
    ...(responses > 0 && !comparesReplies
      ? [`${formatCount(responses)} ${responses === 1 ? 'answer' : 'answers'}`]
      : []),
    ...receivers.slice(0, MAX_TOLD).map(({ to, count }) => `${formatCount(count)} to ${to}`),
    ...(unnamed > 0 ? [`${formatCount(unnamed)} to others`] : []),
    ...kinds.slice(0, MAX_KINDS).map(describeSkipped),
    ...(otherKinds > 0 ? [`${formatCount(otherKinds)} of other kinds`] : []),
  ];
  return words.join(', ');
}

/** The content of a recording of which nothing was sent, for example `12 packets: 10 TCP, 2 ARP`. Empty if it has none. */
export function describeHeld(leftOut: LeftOut): string {
  const count = sum(listNotSent(leftOut));
  if (count === 0) return '';
  const what = leftOut.tally.entries().length > 0 ? 'packet' : 'datagram';
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}: ${describeNotSent(leftOut)}`;
}

function sum(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((total, { count }) => total + count, 0);
}

/**
 * Tells the user what was not sent, with the option that sends it. It is a warning if the user may have expected it to be sent.
 * It is no warning for recorded replies, and for datagrams that the user's own filter leaves out.
 */
export function tellNotSent(leftOut: LeftOut, name: string, filter: ReplayFilter | undefined, notes: Notes): void {
  const words = describeNotSent(leftOut);
  if (words === '') return;
  const { unselected, tally } = leftOut;
  const [other] = unselected.receivers;
  const isLoss = tally.entries().some(({ mayHideDatagrams }) => mayHideDatagrams);
  const level = isLoss || (other !== undefined && filter === undefined) ? 'warn' : 'info';
  notes[level](`not sent of ${name}: ${words}${describeRemedy(leftOut, filter)}`, { notSent: listNotSent(leftOut) });
}

/**
 * Warns of large datagrams that segmentation offload may have joined from several before the capture.
 *
 * @param largestBytes the size of the largest one
 */
export function tellJoined(count: number, largestBytes: number, name: string, notes: Notes): void {
  if (count === 0) return;
  const what =
    count === 1
      ? `a datagram of ${largestBytes} bytes in ${name} may be several that segmentation offload joined: it was sent as one`
      : `${formatCount(count)} datagrams of up to ${largestBytes} bytes in ${name} may be several each that segmentation offload joined: each was sent as one`;
  notes.warn(
    `${what}; "ethtool -K INTERFACE gso off gro off tx-udp-segmentation off" before a capture keeps them apart`,
    {
      joined: count,
    },
  );
}

function describeRemedy({ unselected, comparesReplies }: LeftOut, filter: ReplayFilter | undefined): string {
  const [other] = unselected.receivers;
  if (filter === undefined && other !== undefined) return `; to send them: --replay-filter 'dst ${other.to}', or all`;
  if (other === undefined && (unselected.responses === 0 || comparesReplies)) return '';
  return '; to send them: --replay-filter all';
}
