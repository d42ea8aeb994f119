import { isMulticast, sameEndpoint } from '../../address/endpoint.js';
import type { Datagram } from '../../datagram.js';
import { DatagramError, systemCode } from '../../errors.js';
import { broadcastSource } from '../broadcast-source.js';
import { type Engine, type EngineEvents, type EngineSocket, type OpenRequest, reusesAddress } from '../engine.js';
import { findFreePort, openSocket } from './open.js';
import { NodeSocket, SocketPair } from './socket.js';

/** How often {@link openPair} tries another port, if another socket took the free one meanwhile. */
const MAX_PORT_ATTEMPTS = 16;

/** The engine of `node:dgram`. It runs everywhere, needs no native code and makes one system call for each datagram. */
export const nodeEngine: Engine = {
  name: 'node',
  leavesInKernel: false,
  open: (request, events) => (request.hearStrays ? openPair(request, events) : openOne(request, events)),
};

async function openOne(request: OpenRequest, events: EngineEvents): Promise<EngineSocket> {
  // All sockets that are bound to a group receive its datagrams. So sharing the address takes nothing from the others.
  const shared = isMulticast(request.local.address) || reusesAddress(request);
  return new NodeSocket(await openSocket(request, broadcastSource(request), shared), events);
}

/**
 * Opens a connected socket for the peer and an unconnected one for strays on the same port, by SO_REUSEADDR. With that
 * option the system may choose a port that other sockets use already, so an exclusive socket finds a free port first.
 */
async function openPair(request: OpenRequest, events: EngineEvents): Promise<EngineSocket> {
  const alone = { ...request, options: { ...request.options, join: undefined } };
  for (let attempt = 1; ; attempt += 1) {
    const port = reusesAddress(request) ? request.local.port : await findFreePort(request);
    const local = { ...request.local, port };
    let connected: EngineSocket | undefined;
    try {
      const source = { ...broadcastSource(request), port: local.port };
      connected = new NodeSocket(await openSocket(alone, source, true), events);
      const unconnected = await openSocket({ ...request, remote: undefined }, local, true);
      return new SocketPair(connected, new NodeSocket(unconnected, asStrays(events, request)));
    } catch (error) {
      await connected?.close();
      const taken = error instanceof DatagramError && systemCode(error.cause) === 'EADDRINUSE';
      if (!taken || request.local.port !== 0 || attempt === MAX_PORT_ATTEMPTS) throw error;
    }
  }
}

/** Reports the datagrams of the unconnected socket as strays, except those of the peer: it may send to a group. */
function asStrays(events: EngineEvents, { remote: peer }: OpenRequest): EngineEvents {
  const isPeer = ({ remote }: Datagram): boolean => peer !== undefined && sameEndpoint(remote, peer);
  return {
    ...events,
    datagrams: (batch) => {
      const [own, strays] = [batch.filter(isPeer), batch.filter((datagram) => !isPeer(datagram))];
      if (strays.length > 0) events.strays(strays);
      if (own.length > 0) events.datagrams(own);
    },
  };
}
