import { type Loss, lossOf } from '../check/loss.js';
import type { Measurement } from '../check/measurement.js';
import type { Judge, Verdict } from '../check/judge.js';
import type { Numbered, ExpectedReplies } from '../check/expected-replies.js';
import { describeTooBig, systemCode } from '../net/errors.js';
import { type DatagramError, type Endpoint, familyOf, formatEndpoint } from '../net/index.js';
import { formatDuration, formatMs } from '../text/time.js';
import type { Exchange } from './exchange.js';
import type { ExchangePlan } from './plan.js';

/** The result of {@link ask}. */
export interface CheckResult {
  /** If no reply was awaited, it is `ok` or `refused`. */
  readonly verdict: Verdict;
  /** The address that was asked: the last one that was tried, if a name has several. */
  readonly remote: Endpoint;
  /** Messages that the kernel took. */
  readonly sent: number;
  /** Replies that matched. */
  readonly matching: number;
  /** How many matching replies make the verdict `ok`, unless the loss decides. */
  readonly wanted: number;
  /** The loss. It decides the verdict. Undefined without `maxLoss`. */
  readonly loss: Loss | undefined;
  /** Replies that came in time, and could not be judged in time. */
  readonly unjudged: number;
  /** The time from the last transmission of the first message to the first matching reply, in milliseconds. */
  readonly rttMs: number | undefined;
  /** The content of the first matching reply in the words of the probe. */
  readonly learned: string | undefined;
  /** The content of the last pending reply in words. */
  readonly pending: string | undefined;
  /** Why the last wrong reply is wrong: words that follow "the reply", or a sentence of the probe. */
  readonly mismatch: string | undefined;
  /** Whether `mismatch` is a sentence of the probe. */
  readonly failedProbe: boolean;
  /** The sender of the last wrong reply. */
  readonly mismatched: Endpoint | undefined;
  /** The last ICMP error. */
  readonly peerError: DatagramError | undefined;
  /** If a datagram was too large for the path: the MTU of the path in bytes with headers, if it is known. */
  readonly pathMtu?: number | undefined;
  /** The comparison of the replies with a recording. Undefined if they were not compared. */
  readonly compared: Comparison | undefined;
}

/** The comparison of the replies with the replies that a recording expects. */
export interface Comparison {
  /** Replies that match no expected reply. */
  readonly differing: Numbered;
  /** Expected replies that did not come. */
  readonly missing: Numbered;
  /** The same two in words. Undefined if there are none. */
  readonly saysDiffering: string | undefined;
  readonly saysMissing: string | undefined;
}

/** The result of a closed exchange. */
export function resultOf(
  { judged, messages, maxLoss }: Pick<ExchangePlan, 'judged' | 'messages' | 'maxLoss'>,
  exchange: Exchange,
  judge: Judge,
  expected: ExpectedReplies | undefined,
  measurement: Measurement | undefined,
): CheckResult {
  const { remote, sent, wanted, rttMs, mismatched, peerError } = exchange;
  const { matching, unjudged, learned, pending, mismatch, failedProbe } = judge;
  const unasked = judge.refused && messages.kind !== 'typing' ? 'refused' : 'ok';
  const loss = maxLoss === undefined || measurement === undefined ? undefined : lossOf(measurement, maxLoss);
  return {
    verdict: judged ? judge.verdict(loss?.wanted ?? wanted, loss?.answered) : unasked,
    remote,
    sent,
    matching,
    wanted,
    loss,
    unjudged,
    rttMs,
    learned,
    pending,
    mismatch,
    failedProbe,
    mismatched,
    peerError,
    compared: expected && {
      differing: expected.differing,
      missing: expected.missing,
      saysDiffering: expected.describeDiffering(),
      saysMissing: expected.describeMissing(),
    },
  };
}

/** How much was sent, in words: `nothing was`, `1 datagram was`, `2 datagrams were`. */
export function countSent(sent: number): string {
  return sent === 0 ? 'nothing was' : sent === 1 ? '1 datagram was' : `${sent} datagrams were`;
}

/**
 * Describes a result in a sentence without a full stop.
 *
 * @param timeMs how long the exchange waited at most, in milliseconds; Infinity for no limit
 */
export function describeResult(
  plan: Pick<ExchangePlan, 'judged' | 'messages'>,
  result: CheckResult,
  timeMs: number,
): string {
  const { verdict, loss } = result;
  if (verdict === 'ok') return describeSuccess(plan, result);
  const failure = describeFailure(result, formatDuration(timeMs));
  return loss === undefined ? failure : `${failure}; ${loss.percent}% lost, more than ${loss.maxPercent}%`;
}

function describeSuccess(
  { judged, messages }: Pick<ExchangePlan, 'judged' | 'messages'>,
  { remote, sent, matching, rttMs, learned, loss }: CheckResult,
): string {
  const peer = formatEndpoint(remote);
  if (!judged) return `sent ${sent} ${sent === 1 ? 'datagram' : 'datagrams'} to ${peer}`;
  const time = rttMs === undefined ? '' : ` in ${formatMs(rttMs)} ms`;
  if (loss !== undefined) {
    const first = time === '' ? '' : `, the first${time}`;
    return `${peer} answered ${loss.answered} of ${loss.requests} requests${first}; ${loss.percent}% lost`;
  }
  const replied = matching === 1 ? 'answered' : `gave ${matching} replies, the first`;
  const told = messages.kind === 'probe' ? learned : undefined;
  return told ?? `${peer} ${replied}${time}`;
}

function describeFailure(result: CheckResult, time: string): string {
  const { verdict, remote, matching, wanted, unjudged, pending, mismatch = '', peerError, compared, loss } = result;
  const why = describeOther(result);
  const missing = `${why}${compared?.saysMissing === undefined ? '' : `; ${compared.saysMissing}`}`;
  const peer = formatEndpoint(remote);
  const from = formatEndpoint(result.mismatched ?? remote);
  switch (verdict) {
    case 'ok':
      return '';
    case 'silent':
      if (pending !== undefined && matching === 0)
        return `${peer} did not finish its answer within ${time}: ${pending}${why}`;
      if (unjudged > 0)
        return `${peer} replied, and ${unjudged} of its replies could not be judged within ${time}${missing}`;
      if (loss !== undefined && matching > 0)
        return `${peer} answered ${loss.answered} of ${loss.requests} requests within ${time}${why}`;
      return matching === 0
        ? `${peer} did not answer within ${time}${why}`
        : `${peer} gave ${matching} of ${wanted} replies within ${time}${missing}`;
    case 'refused':
      return describeRefusal(peerError) ?? `${peer} refused: nobody listens there, or a firewall prohibits it`;
    case 'mismatch':
      if (result.failedProbe) return `${compared?.saysDiffering ?? mismatch} (${from})${missing}`;
      return `the reply from ${from} ${mismatch}${missing}`;
    case 'stray':
      return `${peer} did not answer within ${time}, but other addresses did (--any-source takes their replies)${why}`;
  }
}

/** The words of a refusal that has one meaning. Undefined for "port unreachable", which firewalls send as well. */
function describeRefusal(error: DatagramError | undefined): string | undefined {
  const isTelling = error !== undefined && error.code !== 'TOO_LARGE' && systemCode(error.cause) !== 'ECONNREFUSED';
  return isTelling ? error.message : undefined;
}

/** The words of an ICMP error that is no refusal, to follow the words about missing replies. Empty for other errors. */
function describeOther(result: CheckResult): string {
  const { peerError } = result;
  if (peerError?.code === 'UNREACHABLE') return `; ${peerError.message}`;
  const tooBig = tellTooBig(result, 'a datagram');
  return tooBig === undefined ? '' : `: ${tooBig}`;
}

/** Says that a datagram was too large for the path, with the MTU. Undefined if none was. @param what the datagram in words */
export function tellTooBig(
  { peerError, pathMtu, remote }: Pick<CheckResult, 'peerError' | 'pathMtu' | 'remote'>,
  what = `a datagram to ${formatEndpoint(remote)}`,
): string | undefined {
  if (peerError?.code !== 'TOO_LARGE') return undefined;
  return describeTooBig(what, { family: familyOf(remote.address), mtu: pathMtu, reporter: peerError.icmp?.reporter });
}
