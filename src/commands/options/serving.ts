import { faultOptions } from './faults.js';
import { flag, grouped, option, repeatable, unlessFlag, type ValuesOf } from '../../cli/options.js';
import { parseAddressBlock } from '../../guard/access-list.js';
import { FIRST_USER_PORT, MAX_AMPLIFICATION, MAX_IDENTICAL, MAX_REMEMBERED } from '../../guard/limits.js';
import { MAX_PEERS } from '../../stats/peers.js';
import { parseCount, parseRate } from '../../text/number.js';
import { sharedOptions } from './shared.js';

/** The options that `serve` and `echo` share. */
export function servingOptions(output: 'utf8' | 'none') {
  return {
    ...grouped('Whom to hear and to answer:', {
      allow: repeatable('--allow <cidr>', 'take datagrams only from these addresses', parseAddressBlock),
      deny: repeatable('--deny <cidr>', 'take none from these', parseAddressBlock),
      rateLimit: option('--rate-limit <rate>', 'answers for each peer, such as 100/s', parseRate),
      loopGuard: unlessFlag(
        '--no-loop-guard',
        `answer more than ${MAX_IDENTICAL} identical datagrams a second from one peer`,
      ),
      answerServicePorts: flag('--answer-service-ports', `answer source ports below ${FIRST_USER_PORT} as well`),
      amplify: flag(
        '--amplify',
        `give answers larger than ${MAX_AMPLIFICATION} times the question to anybody, not only under --allow`,
      ),
      maxPeers: option(
        '--max-peers <n>',
        `peers remembered at once (default: ${MAX_PEERS} in the summary, ${MAX_REMEMBERED} to guard against loops and floods)`,
        parseCount,
      ),
    }),
    ...faultOptions(),
    ...sharedOptions({ output, count: 'stop after n datagrams' }),
  };
}

/** The values of {@link servingOptions}. */
export type ServingValues = ValuesOf<ReturnType<typeof servingOptions>>;
