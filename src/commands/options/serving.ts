import { faultOptions } from './faults.js';
import { flag, grouped, option, repeatable, unlessFlag, type ValuesOf } from '../../cli/options.js';
import { parseAddressBlock } from '../../guard/access-list.js';
import { parseCount, parseRate } from '../../text/number.js';
import { sharedOptions } from './shared.js';

/** The options that `serve` and `echo` share. */
export function servingOptions(output: 'utf8' | 'none') {
  return {
    ...grouped('Whom to hear and to answer:', {
      allow: repeatable('--allow <cidr>', 'take datagrams only from these addresses', parseAddressBlock),
      deny: repeatable('--deny <cidr>', 'take none from these', parseAddressBlock),
      rateLimit: option('--rate-limit <rate>', 'answers for each peer, such as 100/s', parseRate),
      loopGuard: unlessFlag('--no-loop-guard', 'answer more than 100 identical datagrams a second from one peer'),
      answerServicePorts: flag('--answer-service-ports', 'answer source ports below 1024 as well'),
      amplify: flag('--amplify', 'give answers larger than 3 times the question to anybody, not only under --allow'),
      maxPeers: option(
        '--max-peers <n>',
        'peers remembered at once (default: 1024 in the summary, 65536 to guard against loops and floods)',
        parseCount,
      ),
    }),
    ...faultOptions(),
    ...sharedOptions({ output, count: 'stop after n datagrams' }),
  };
}

/** The values of {@link servingOptions}. */
export type ServingValues = ValuesOf<ReturnType<typeof servingOptions>>;
