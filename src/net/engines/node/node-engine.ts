import { isMulticast, sameEndpoint } from '../../address/endpoint.js';
import type { Datagram } from '../../datagram.js';
import { DatagramError, systemCode } from '../../errors.js';
import { broadcastSource } from '../broadcast-source.js';
import type { Engine, EngineEvents, EngineSocket, OpenRequest } from '../engine.js';
import { openSocket } from './open.js';
import { NodeSocket, SocketPair } from './socket.js';

/** How often another port is tried when one that was free a moment ago is taken. */
const MAX_PORT_ATTEMPTS = 16;

/** The engine of `node:dgram`: everywhere, no native code, one system call a datagram. */
export const nodeEngine: Engine = {
  name: 'node',
  leavesInKernel: false,
  open: (request, events) => (request.hearStrays ? openPair(request, events) : openOne(request, events)),
};

async function openOne(request: OpenRequest, events: EngineEvents): Promise<EngineSocket> {
  // Every socket that is bound to a group gets its datagrams: sharing it takes nothing from another.
  const shared = isMulticast(request.local.address);
  return new NodeSocket(await openSocket(request, broadcastSource(request), shared), events);
}

/**
 * Two sockets share a port by SO_REUSEADDR. With it the system may choose a port that other sockets use already, so an
 * exclusive socket finds a free one first.
 */
async function openPair(request: OpenRequest, events: EngineEvents): Promise<EngineSocket> {
  const alone = { ...request, options: { ...request.options, join: undefined } };
  for (let attempt = 1; ; attempt += 1) {
    const scout = await openSocket({ ...alone, remote: undefined }, request.local, false);
    await scout.close();
    const { local } = scout;
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

/** Everything that arrives is a stray, but what the peer sends to a group. */
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
