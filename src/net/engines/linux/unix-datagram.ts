import { AF_UNIX, ENAMETOOLONG, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from './constants.js';
import { type SystemCalls, systemError } from './system-calls.js';

/** Room for the name in `sockaddr_un`, unix(7); the family stands before it. */
const NAME_BYTES = 108;

/**
 * Sends one datagram to a Unix socket, and does not wait where that has no room.
 *
 * @param name a path, or an abstract name, written with `@` for the NUL that it begins with; 108 bytes at most
 * @throws the system's error: `ENOENT`, `ECONNREFUSED`, `EACCES`, `EAGAIN` for want of room, `ENAMETOOLONG`
 */
export function sendUnixDatagram(calls: SystemCalls, name: string, data: Uint8Array): void {
  const bytes = Buffer.from(name.replace(/^@/, '\0'));
  if (bytes.length > NAME_BYTES) throw systemError('sendto', ENAMETOOLONG);
  // The family has two bytes, the lower one first.
  const address = Buffer.from([AF_UNIX, 0, ...bytes]);
  const fd = calls.socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) throw systemError('socket', calls.errno());
  try {
    const sent = calls.sendto(fd, data, data.length, MSG_DONTWAIT, address, address.length);
    if (sent < 0) throw systemError('sendto', calls.errno());
  } finally {
    calls.close(fd);
  }
}
