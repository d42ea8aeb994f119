import type { Verdict } from '../check/judge.js';

/** What a run came to, for the shell. */
export const ExitCode = {
  /** Done as asked. */
  ok: 0,
  /** A local failure: cannot resolve, bind, open, read, send or write; nothing to send. */
  failure: 1,
  /** The command line cannot be carried out; nothing was opened or sent. */
  usage: 2,
  /** No reply in time, or too few; or fewer datagrams than `--count`. */
  silent: 3,
  /** An ICMP error said that nobody listens, or that it is prohibited. */
  refused: 4,
  /** A reply from the address asked failed an expectation. */
  mismatch: 5,
  /** Replies came, all from other addresses. */
  stray: 6,
  /** Datagrams were dropped, and the user asked to be told so. */
  dropped: 7,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** The status that tells a verdict. */
export function exitCodeOf(verdict: Verdict): ExitCode {
  return ExitCode[verdict];
}
