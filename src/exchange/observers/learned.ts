import type { Finding } from '../../check/finding.js';
import { formatEndpoint } from '../../net/index.js';
import type { Context } from '../../run/context.js';
import type { ExchangeObserver } from '../events.js';

/** Replies to a probe whose content is told, as many as one network may have hosts. */
const MAX_LINES = 1000;

/** Tells on stderr what a probe learns from each matching reply. */
export function tellLearned({ log }: Pick<Context, 'log'>): ExchangeObserver {
  let learned = 0;
  return {
    judged: ({ batch, findings, repliesFrom }) => {
      for (const [index, { remote }] of batch.entries()) {
        const { outcome, says = '' } = findings[index] as Finding;
        if (outcome !== 'match' || learned >= MAX_LINES) continue;
        learned += 1;
        const peer = formatEndpoint(remote);
        log.info(repliesFrom === 'anyone' ? `${says} (${peer})` : says, { peer });
      }
    },
  };
}
