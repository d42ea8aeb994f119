import { formatEndpoint } from '../../net/index.js';
import type { Context } from '../../run/context.js';
import type { ExchangeObserver, Transmission } from '../events.js';
import type { WaitPlan } from '../plan.js';
import type { Finding } from '../../check/finding.js';

/** The plan of {@link explain}. */
export interface ExplanationPlan extends Pick<WaitPlan, 'judged' | 'waitMs'> {
  /** Whether the user gave `--explain`. */
  readonly explain?: true | undefined;
  /** The time of `--deadline`, in milliseconds from `startMs`. Default: none. */
  readonly deadline?: number | undefined;
  /** The moment from which the times count, by `performance.now()`. Default: the start of the process. */
  readonly startMs?: number;
}

/** The parts of the log that {@link explain} uses. */
export interface ExplanationLog {
  readonly log: Pick<Context['log'], 'debug' | 'report' | 'writes'>;
}

/** Why datagrams were sent, in words. */
const WHY_SENT: Readonly<Record<Transmission, string>> = {
  message: '',
  retransmission: ' (retransmission)',
  'follow-up': ' (answer)',
  'next address': ' (next address)',
};

/**
 * Explains on stderr each step of an exchange. With `--explain`, each line has the time since the start, and the time
 * left. Otherwise the steps are lines of the log at the level `debug`. If the log does not write that level, the observer
 * is empty.
 */
export function explain(plan: ExplanationPlan, { log }: ExplanationLog): ExchangeObserver {
  if (plan.explain === true) return explainTo(new TimedLines(plan, log), true);
  if (!log.writes('debug')) return {};
  const say = (message: string): void => {
    log.debug(message);
  };
  return explainTo({ say, waitBegins: () => undefined }, false);
}

interface Lines {
  say(message: string): void;
  /** The time left counts from now. */
  waitBegins(): void;
}

/** Writes lines that begin with the time since the start, and end with the time left. */
class TimedLines implements Lines {
  readonly #plan: ExplanationPlan;
  readonly #log: ExplanationLog['log'];
  /** The end of the wait, by `performance.now()`. */
  #endMs: number;

  constructor(plan: ExplanationPlan, log: ExplanationLog['log']) {
    this.#plan = plan;
    this.#log = log;
    this.#endMs = this.#deadlineMs;
  }

  get #startMs(): number {
    return this.#plan.startMs ?? 0;
  }

  get #deadlineMs(): number {
    return this.#startMs + (this.#plan.deadline ?? Infinity);
  }

  say(message: string): void {
    const nowMs = performance.now();
    const shows = this.#plan.judged && this.#endMs < Infinity;
    const left = shows ? `; ${Math.max(0, this.#endMs - nowMs).toFixed(0)} ms left` : '';
    // Each reply of a flood has a line: a report drops lines that nobody reads, so that they do not fill the memory.
    this.#log.report(`${(nowMs - this.#startMs).toFixed(1)} ms: ${message}${left}`);
  }

  waitBegins(): void {
    const { waitMs = Infinity } = this.#plan;
    this.#endMs = Math.min(performance.now() + waitMs, this.#deadlineMs);
  }
}

/** @param isWhole whether strays and ICMP errors have lines, too. Without `--explain` the log has lines for them already. */
function explainTo(lines: Lines, isWhole: boolean): ExchangeObserver {
  return {
    resolved: ({ name, found }) => {
      lines.say(`${name} is ${found.map(({ address }) => address).join(', ')}`);
    },
    opened: ({ exchange: { local, remote } }) => {
      lines.say(`sending from ${formatEndpoint(local)} to ${formatEndpoint(remote)}`);
    },
    transmitted: ({ payloads, why }) => {
      if (why === 'message') lines.waitBegins();
      lines.say(`sent ${describePayloads(payloads)}${WHY_SENT[why]}`);
    },
    judged: ({ batch, findings }) => {
      for (const [index, { remote, data }] of batch.entries()) {
        const { outcome, says } = findings[index] as Finding;
        const why = says === undefined ? '' : `, ${says}`;
        lines.say(`${formatEndpoint(remote)} replied with ${describePayloads([data])}: ${outcome}${why}`);
      }
    },
    settled: ({ finding: { outcome, says = '' } }) => {
      lines.say(`${outcome}: ${says}`);
    },
    'next address': ({ next, why }) => {
      lines.say(`${why.message}; trying ${formatEndpoint(next)}`);
    },
    left: ({ count }) => {
      lines.say(`${count} more replies came, and were not judged in time`);
    },
    ...(isWhole &&
      ({
        strays: ({ batch }) => {
          for (const { remote, data } of batch) {
            lines.say(`${formatEndpoint(remote)} sent ${describePayloads([data])}, and is not the address asked`);
          }
        },
        'peer error': ({ error }) => {
          lines.say(error.message);
        },
      } satisfies ExchangeObserver)),
  };
}

function describePayloads(payloads: readonly Uint8Array[]): string {
  const bytes = payloads.reduce((sum, { length }) => sum + length, 0);
  const size = `${bytes} ${bytes === 1 ? 'byte' : 'bytes'}`;
  return payloads.length === 1 ? size : `${payloads.length} datagrams, ${size}`;
}
