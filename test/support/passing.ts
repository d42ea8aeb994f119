/** Passes bound sockets to a command, like a service manager (sd_listen_fds(3)). Needs python3. */
import { quote } from './udpcat.js';

/**
 * A Python program that binds sockets, sends a datagram to each UDP socket, and becomes the command. The command
 * inherits the sockets as descriptors from 3 on.
 */
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
 * Returns a shell command line that passes sockets to a command.
 *
 * @param sockets the kinds of sockets, divided by commas: `udp4`, `udp6`, `udpany` or `tcp4`
 * @param owner the value of LISTEN_PID. Default: the process of the command.
 */
export function passSockets(sockets: string, command: string, owner = ''): string {
  return `exec python3 -c ${quote(PASS)} ${sockets} ${quote(owner)} ${command}`;
}
