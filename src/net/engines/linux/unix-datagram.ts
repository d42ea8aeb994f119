import { AF_UNIX, ENAMETOOLONG, MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_DGRAM } from './constants.js';
import { type SystemCalls, systemError } from './system-calls.js';

/** Size of the name in `sockaddr_un`, in bytes (unix(7)). */
const NAME_BYTES = 108;

/**
 * Sends one datagram to a Unix socket (unix(7)). Does not wait if the socket has no room.
 *
 * @param name A path, or an abstract name with `@` in place of its first byte, which is NUL. At most 108 bytes.
 * @throws The system's error: `ENOENT`, `ECONNREFUSED`, `EACCES`, `ENAMETOOLONG`; `EAGAIN` if the socket has no room.
 */
export function sendUnixDatagram(calls: SystemCalls, name: string, data: Uint8Array): void {
  const bytes = Buffer.from(name.replace(/^@/, '\0'));
  if (bytes.length > NAME_BYTES) throw systemError('sendto', ENAMETOOLONG);
  // The family takes two bytes, the lower one first.
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
