import { common, flag, grouped, option, repeatable, type ValuesOf } from '../../cli/options.js';
import { parseAddressBlock } from '../../guard/access-list.js';
import { MAX_AMPLIFICATION } from '../../guard/limits.js';
import { parseHttpAddress } from '../../http/address.js';
import { ValueError } from '../../net/errors.js';
import { MAX_SESSIONS } from '../../relay/limits.js';
import { SIDES } from '../../relay/plan.js';
import { parseDuration } from '../../text/duration.js';
import { parseCount, parseRate } from '../../text/number.js';
import { oneOf } from '../../text/value.js';
import { directedFaultOptions } from './faults.js';
import { sharedOptions } from './shared.js';

/** A session ends when nothing has gone either way for this time, in milliseconds. */
const SESSION_TIMEOUT_MS = 60_000;

/** The options of `udpcat relay`. */
export function relayOptions() {
  return {
    ...grouped('Sessions:', {
      sessionTimeout: common(
        option(
          '--session-timeout <d>',
          `end a session when nothing has gone either way for this time (default: ${SESSION_TIMEOUT_MS / 1000}s)`,
          parseDuration,
        ),
      ),
      responses: common(option('--responses <n>', 'end a session after n answers: 1 for DNS', parseCount)),
      maxSessions: option(
        '--max-sessions <n>',
        `open at most n sessions at a time (default: ${MAX_SESSIONS}, or fewer if the system has not enough descriptors or ports)`,
        parseCount,
      ),
      rebind: option('--rebind <d>', 'give each session a new source port this often, as a NAT does', parseDuration),
      anyPort: flag('--any-port', "take answers from every port of the target's host, and answer there: TFTP"),
      resolve: option('--resolve <d>', 'look the target up again this often, for new sessions', parseDuration),
    }),
    ...grouped('Clients:', {
      allow: common(repeatable('--allow <cidr>', 'take datagrams only from this network', parseAddressBlock)),
      deny: repeatable('--deny <cidr>', 'take no datagrams from this network', parseAddressBlock),
      rateLimit: option('--rate-limit <rate>', 'take datagrams of each client at most this often: 100/s', parseRate),
      amplify: flag(
        '--amplify',
        `send a client more than ${MAX_AMPLIFICATION} times the bytes that it sent, even before it has answered, and not only with --allow`,
      ),
    }),
    ...controlOptions(),
    ...directedFaultOptions(),
    ...grouped('Datagrams:', {
      side: common(option('--side <side>', `whose datagrams are written: ${SIDES.join(', ')}`, oneOf(SIDES), 'both')),
    }),
    ...sharedOptions({ output: 'none', count: 'stop after n datagrams of clients, and a second for the answers' }),
  };
}

/** The options about the server that changes relays while they run. */
function controlOptions() {
  return grouped('HTTP:', {
    http: common(option('--http <address>', 'let clients of toxiproxy change faults there: 8474', parseHttpAddress)),
    httpToken: option(
      '--http-token <env:NAME>',
      'answer only requests with the token in this environment variable, as Bearer or as the password of Basic',
      parseVariable,
    ),
    httpAllow: repeatable('--http-allow <cidr>', 'answer only requests from this network', parseAddressBlock),
    httpOpen: flag('--http-open', 'answer requests from everywhere, for example in a container'),
    name: option('--name <name>', 'the name of this relay in requests and events', parseName, 'relay'),
  });
}

/** Reads `env:NAME`. Returns the name. @throws {ValueError} for any other text */
function parseVariable(text: string): string {
  const [, name] = /^env:(.+)$/s.exec(text) ?? [];
  if (name === undefined) throw new ValueError('A token stands in an environment variable: env:NAME.');
  return name;
}

/** @throws {ValueError} for an empty text */
function parseName(text: string): string {
  if (text === '') throw new ValueError('A name must not be empty.');
  return text;
}

/** The values of {@link relayOptions}. */
export type RelayValues = ValuesOf<ReturnType<typeof relayOptions>>;

/** The session timeout of a command line. */
export function sessionTimeoutOf({ sessionTimeout = SESSION_TIMEOUT_MS }: RelayValues): number {
  return sessionTimeout;
}
