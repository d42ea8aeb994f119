import { flag, grouped, option } from '../../cli/options.js';
import { ENGINES } from '../../net/index.js';
import { SOCKET_OPTIONS } from '../../net/socket-options.js';
import { parseInteger } from '../../text/number.js';
import { oneOf, parseInterfaceName } from '../../text/value.js';
import { rangeOf } from './socket.js';

/** The engine, and the socket options that only the linux engine has. */
export function kernelOptions() {
  return grouped('Kernel:', {
    engine: option(
      '--engine <engine>',
      'engine that talks to the kernel: node, linux, or auto; auto is linux if it runs here and is worth loading',
      oneOf(ENGINES),
      'auto',
    ),
    dscp: option('--dscp <n>', `class of service of sent datagrams, ${rangeOf('dscp')} (linux engine)`, parseDscp),
    dontFragment: flag('--dont-fragment', 'forbid fragments of sent datagrams, here and on the way (linux engine)'),
    bindDevice: option(
      '--bind-device <name>',
      'receive and send on this interface only (linux engine)',
      parseInterfaceName,
    ),
    reusePort: flag('--reuse-port', 'share the address with other sockets that have this option (linux engine)'),
    exactDrops: flag('--exact-drops', 'count every datagram that the kernel drops; this makes receiving slower'),
  });
}

/** Reads a differentiated services code point. */
export function parseDscp(text: string): number {
  const { least, most } = SOCKET_OPTIONS.dscp;
  const accepted = `A code point is a whole number from ${rangeOf('dscp')}, for example 46 for expedited forwarding.`;
  return parseInteger(text, least, most, accepted);
}
