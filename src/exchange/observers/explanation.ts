import { formatEndpoint } from '../../net/index.js';
import type { Context } from '../../run/context.js';
import type { ExchangeObserver, Transmission } from '../events.js';
import type { WaitPlan } from '../plan.js';
import type { Finding } from '../../check/finding.js';

/** What an explanation depends on. */
export interface ExplanationPlan extends Pick<WaitPlan, 'judged' | 'waitMs'> {
  /** Whether the user asked for it. */
  readonly explain?: true | undefined;
  /** In milliseconds from the start of the process. */
  readonly deadline?: number | undefined;
}

/** Why datagrams were sent, as it is told. */
const WHY_SENT: Readonly<Record<Transmission, string>> = {
  message: '',
  retransmission: ' (retransmission)',
  'follow-up': ' (answer)',
  'next address': ' (next address)',
};

/**
 * Tells on stderr what happens in an exchange: with `--explain` with the time since the start of the process and the time
 * left, with `-v` as lines of the log. It looks at nothing if nobody reads it.
 */
export function explain(plan: ExplanationPlan, { log }: Pick<Context, 'log'>): ExchangeObserver {
  if (plan.explain === true) return explainTo(new TimedLines(plan, log), true);
  if (!log.writes('debug')) return {};
  const say = (message: string): void => {
    log.debug(message);
  };
  return explainTo({ say, waitBegins: () => undefined }, false);
}

interface Lines {
  say(message: string): void;
  /** The wait for replies is counted from now. */
  waitBegins(): void;
}

/** Lines that begin with the time since the start of the process, and end with the time left. */
class TimedLines implements Lines {
  readonly #plan: ExplanationPlan;
  readonly #log: Context['log'];
  // performance.now() counts from the start of the process, and so does the deadline.
  #endMs: number;

  constructor(plan: ExplanationPlan, log: Context['log']) {
    this.#plan = plan;
    this.#log = log;
    this.#endMs = plan.deadline ?? Infinity;
  }

  say(message: string): void {
    const nowMs = performance.now();
    const shows = this.#plan.judged && this.#endMs < Infinity;
    const left = shows ? `; ${Math.max(0, this.#endMs - nowMs).toFixed(0)} ms left` : '';
    // A flood of replies has a line each: the memory must not fill with lines that nobody reads.
    this.#log.report(`${nowMs.toFixed(1)} ms: ${message}${left}`);
  }

  waitBegins(): void {
    const { waitMs = Infinity, deadline = Infinity } = this.#plan;
    this.#endMs = Math.min(performance.now() + waitMs, deadline);
  }
}

/** @param isWhole whether to tell of strays and ICMP errors, too, which the log tells of otherwise */
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
