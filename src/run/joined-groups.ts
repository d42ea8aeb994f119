import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import { formatMembership, type Membership } from '../net/address/membership.js';
import type { DatagramSocket } from '../net/index.js';

/**
 * Returns the groups that a socket has joined, in the form of `--join`: `239.1.2.3%eth0`. A group without an interface is one
 * whose interface the system chose and does not tell.
 */
export async function joinedGroups({ memberships }: Pick<DatagramSocket, 'memberships'>): Promise<readonly string[]> {
  const known = memberships.map(async (membership) =>
    formatMembership({ ...membership, interface: membership.interface ?? (await chosenInterface(membership)) }),
  );
  return await Promise.all(known);
}

/** The port of a socket that sends nothing. */
const DISCARD = 9;

/**
 * Returns the interface that the system chooses for a group: the one of the source address of a socket that is connected to the
 * group. Undefined if there is no route, or several interfaces have that address.
 */
async function chosenInterface({ group }: Membership): Promise<string | undefined> {
  const isIpv6 = group.includes(':');
  // A link-local group needs a zone here. The system's route does not depend on the scope, the fourth digit.
  const wider = isIpv6 ? group.replace(/^(ff[\da-f])[12]:/, '$15:') : group;
  const socket = createSocket(isIpv6 ? 'udp6' : 'udp4');
  try {
    socket.connect(DISCARD, wider);
    await once(socket, 'connect');
    const { address } = socket.address();
    const owners = Object.entries(networkInterfaces()).filter(([, entries = []]) =>
      entries.some((entry) => entry.address === address),
    );
    return owners.length === 1 ? owners[0]?.[0] : undefined;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
}
