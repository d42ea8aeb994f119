import type { Finding } from '../../check/finding.js';
import { formatEndpoint } from '../../net/index.js';
import type { Context } from '../../run/context.js';
import { formatMs } from '../../text/time.js';
import type { ExchangeObserver } from '../events.js';

/** The maximum number of replies with a line: enough for the hosts of one network. */
const MAX_LINES = 1000;

/** Makes an observer that logs the content of each matching reply in the words of the probe, and its round-trip time. */
export function tellLearned({ log }: Pick<Context, 'log'>): ExchangeObserver {
  let learned = 0;
  return {
    judged: ({ batch, findings, rttsMs, repliesFrom }) => {
      for (const [index, { remote }] of batch.entries()) {
        const { outcome, says = '' } = findings[index] as Finding;
        if (outcome !== 'match' || learned >= MAX_LINES) continue;
        learned += 1;
        const peer = formatEndpoint(remote);
        const rttMs = rttsMs[index];
        const time = rttMs === undefined ? '' : `; answered in ${formatMs(rttMs)} ms`;
        log.info(`${says}${repliesFrom === 'anyone' ? ` (${peer})` : ''}${time}`, {
          peer,
          ...(time !== '' && { rttMs }),
        });
      }
    },
  };
}
