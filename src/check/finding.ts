/** The judgement of one reply. */
export interface Finding {
  /**
   * - `match`: the reply meets everything that was asked for.
   * - `mismatch`: it does not.
   * - `pending`: it belongs to the exchange, and the decisive reply is still to come.
   * - `surplus`: it belongs to no open request.
   * - `unjudged`: the time was over before it could be judged.
   */
  readonly outcome: 'match' | 'mismatch' | 'pending' | 'surplus' | 'unjudged';
  /** The content of the reply, or why it does not match, in words. It may quote bytes of the reply. */
  readonly says?: string;
  /** A datagram that the protocol wants sent back to the peer, for example with the challenge that the reply contains. */
  readonly followUp?: Uint8Array;
  /**
   * Set for a pending reply that may be decided later. Calls `settle` with the decision, at most once. Without a call of
   * `later` nobody hears the decision.
   */
  readonly later?: (settle: (finding: Finding) => void) => void;
}

/**
 * Calls `take` with the decision about a reply. For a decided finding it does so at once. For a pending one it does so when
 * the finding is decided, if somebody calls `later` of the returned finding.
 *
 * @returns the finding to pass on
 */
export function onceSettled(finding: Finding, take: (settled: Finding) => void): Finding {
  const { later } = finding;
  if (later === undefined) {
    take(finding);
    return finding;
  }
  return {
    ...finding,
    later: (settle) => {
      later((settled) => {
        take(settled);
        settle(settled);
      });
    },
  };
}
