/** Passes sockets on to a command, as a service manager does (sd_listen_fds(3)); needs python3. */
import { quote } from './udpcat.js';

/** Binds sockets, lets a datagram wait in each of UDP, passes them on from descriptor 3 on, and becomes the command. */
const PASS = `
import os, socket, sys
kinds, owner, command = sys.argv[1].split(','), sys.argv[2], sys.argv[3:]
places = {'4': (socket.AF_INET, '127.0.0.1'), '6': (socket.AF_INET6, '::1'), 'any': (socket.AF_INET6, '::')}
for index, kind in enumerate(kinds):
    family, host = places[kind[3:]]
    bound = socket.socket(family, socket.SOCK_STREAM if kind[:3] == 'tcp' else socket.SOCK_DGRAM)
    bound.bind((host, 0))
    if kind[:3] == 'tcp':
        bound.listen()
    else:
        socket.socket(family, socket.SOCK_DGRAM).sendto(b'waited', (host, bound.getsockname()[1]))
    os.dup2(bound.fileno(), 100 + index, False)
for index in range(len(kinds)):
    os.dup2(100 + index, 3 + index)
os.environ['LISTEN_FDS'] = str(len(kinds))
os.environ['LISTEN_PID'] = owner or str(os.getpid())
os.execv(command[0], command)
`;

/**
 * A shell command line that does so for the kinds of sockets, divided by commas: `udp4`, `udp6`, `udpany` or `tcp4`.
 *
 * @param owner what LISTEN_PID says; default: the process of the command
 */
export function passSockets(sockets: string, command: string, owner = ''): string {
  return `exec python3 -c ${quote(PASS)} ${sockets} ${quote(owner)} ${command}`;
}
