import type { Skipped, SkipTally } from '../capture/skip-tally.js';
import type { ReplayFilter, Unselected } from '../input/replay.js';
import { formatCount } from '../output/quantity.js';
import type { NotSent } from '../stats/totals.js';
import type { Context } from './context.js';

/** Receivers that a line names; JSON names more. */
const MAX_TOLD = 5;
const MAX_LISTED = 100;

/** Packets of a capture that are no whole datagram, in words; TCP and its like are named. */
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

/** What a recording holds and was not sent. */
export interface LeftOut {
  readonly unselected: Unselected;
  readonly tally: SkipTally;
  /** Whether the answers were compared with the replies: then nothing is missing. */
  readonly comparesAnswers: boolean;
}

/** What was not sent, by kind, as it stands in the summary's JSON. */
export function listNotSent({ unselected, tally, comparesAnswers }: LeftOut): readonly NotSent[] {
  const { answers, receivers, more } = unselected;
  const unnamed = more + sum(receivers.slice(MAX_LISTED));
  return [
    ...(answers > 0 && !comparesAnswers ? [{ kind: 'answer', count: answers }] : []),
    ...receivers.slice(0, MAX_LISTED).map(({ to, count }) => ({ kind: 'other receiver', to, count })),
    ...(unnamed > 0 ? [{ kind: 'other receiver', count: unnamed }] : []),
    ...tally.entries().map(({ kind, name, count }) => ({ kind, ...(name !== undefined && { name }), count })),
  ];
}

/** The same in words; empty if nothing was left out. */
export function describeNotSent({ unselected, tally, comparesAnswers }: LeftOut): string {
  const { answers, receivers, more } = unselected;
  const unnamed = more + sum(receivers.slice(MAX_TOLD));
  const words = [
    ...(answers > 0 && !comparesAnswers ? [`${formatCount(answers)} ${answers === 1 ? 'answer' : 'answers'}`] : []),
    ...receivers.slice(0, MAX_TOLD).map(({ to, count }) => `${formatCount(count)} to ${to}`),
    ...(unnamed > 0 ? [`${formatCount(unnamed)} to others`] : []),
    ...tally.entries().map(describeSkipped),
  ];
  return words.join(', ');
}

function sum(counts: readonly { readonly count: number }[]): number {
  return counts.reduce((total, { count }) => total + count, 0);
}

/**
 * Tells what was not sent, and how it would be: as a warning, unless it is what nobody would expect to be sent, such as
 * answers or what the user's own filter leaves out.
 */
export function tellNotSent(
  leftOut: LeftOut,
  name: string,
  filter: ReplayFilter | undefined,
  log: Context['log'],
): void {
  const words = describeNotSent(leftOut);
  if (words === '') return;
  const { unselected, tally } = leftOut;
  const [other] = unselected.receivers;
  const isLoss = tally.entries().some(({ mayHideDatagrams }) => mayHideDatagrams);
  const level = isLoss || (other !== undefined && filter === undefined) ? 'warn' : 'info';
  log[level](`not sent of ${name}: ${words}${describeRemedy(leftOut, filter)}`, { notSent: listNotSent(leftOut) });
}

function describeRemedy({ unselected, comparesAnswers }: LeftOut, filter: ReplayFilter | undefined): string {
  const [other] = unselected.receivers;
  if (filter === undefined && other !== undefined) return `; to send them: --replay-filter 'dst ${other.to}', or all`;
  if (other === undefined && (unselected.answers === 0 || comparesAnswers)) return '';
  return '; to send them: --replay-filter all';
}
