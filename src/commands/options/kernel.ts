import { flag, grouped, option } from '../../cli/options.js';
import { ENGINES } from '../../net/index.js';
import { SOCKET_OPTIONS } from '../../net/socket-options.js';
import { parseInteger } from '../../text/number.js';
import { oneOf, parseInterfaceName } from '../../text/value.js';
import { rangeOf } from './socket.js';

/** What talks to the kernel, and what only the linux engine can ask of it. */
export function kernelOptions() {
  return grouped('Kernel:', {
    engine: option(
      '--engine <engine>',
      'what talks to the kernel: node, linux, or auto, which is linux where it can run and pays',
      oneOf(ENGINES),
      'auto',
    ),
    dscp: option(
      '--dscp <n>',
      `mark what is sent for its class of service, ${rangeOf('dscp')} (linux engine)`,
      parseDscp,
    ),
    dontFragment: flag('--dont-fragment', 'fragment nothing that is sent, here or on its way (linux engine)'),
    bindDevice: option(
      '--bind-device <name>',
      'use this interface only, in both directions (linux engine)',
      parseInterfaceName,
    ),
    reusePort: flag('--reuse-port', 'share the address with other sockets that ask for it too (linux engine)'),
    exactDrops: flag('--exact-drops', 'count each datagram that the kernel drops, and receive more slowly'),
  });
}

/** Reads a differentiated services code point. */
export function parseDscp(text: string): number {
  const { least, most } = SOCKET_OPTIONS.dscp;
  const accepted = `A code point is a whole number from ${rangeOf('dscp')}, such as 46 for expedited forwarding.`;
  return parseInteger(text, least, most, accepted);
}
