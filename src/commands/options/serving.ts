import { faultOptions } from './faults.js';
import { common, flag, grouped, option, repeatable, unlessFlag, type ValuesOf } from '../../cli/options.js';
import { parseAddressBlock } from '../../guard/access-list.js';
import { FIRST_USER_PORT, MAX_AMPLIFICATION, MAX_IDENTICAL, MAX_REMEMBERED } from '../../guard/limits.js';
import { MAX_PEERS } from '../../stats/peers.js';
import { parseCount, parseRate } from '../../text/number.js';
import { sharedOptions } from './shared.js';

/** The options that `serve` and `echo` share. */
export function servingOptions(output: 'utf8' | 'none') {
  return {
    ...grouped('Peers:', {
      allow: common(repeatable('--allow <cidr>', 'take datagrams only from this network', parseAddressBlock)),
      deny: repeatable('--deny <cidr>', 'take no datagrams from this network', parseAddressBlock),
      rateLimit: option('--rate-limit <rate>', 'answer each peer at most this often: 100/s', parseRate),
      loopGuard: unlessFlag(
        '--no-loop-guard',
        `answer more than ${MAX_IDENTICAL} identical datagrams a second from one peer`,
      ),
      answerServicePorts: flag('--answer-service-ports', `answer source ports below ${FIRST_USER_PORT}, too`),
      amplify: flag(
        '--amplify',
        `send answers larger than ${MAX_AMPLIFICATION} times the request to every peer, not only to those of --allow`,
      ),
      maxPeers: option(
        '--max-peers <n>',
        `remember at most n peers (default: ${MAX_PEERS} in the summary, ${MAX_REMEMBERED} in the guards against loops and floods)`,
        parseCount,
      ),
    }),
    ...faultOptions(),
    ...sharedOptions({ output, count: 'stop after n datagrams' }),
  };
}

/** The values of {@link servingOptions}. */
export type ServingValues = ValuesOf<ReturnType<typeof servingOptions>>;
