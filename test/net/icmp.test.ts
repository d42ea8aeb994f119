/** Every ICMP error of IPv4 about a datagram is reported with its meaning, and fails no later datagram. */
import { once } from 'node:events';
import { describe, expect } from '@jest/globals';
import { describeEngines } from '../support/engines.js';
import { sendIcmpError, testWithRawSockets } from '../support/raw.js';
import { hostAndPort, silentServer } from '../support/sockets.js';

/** Type, code, the code of the event, its message, and whether the node engine hears it. */
const ERRORS = [
  [3, 0, 'UNREACHABLE', 'its network is unreachable (ENETUNREACH)', 'linux'],
  [3, 1, 'UNREACHABLE', 'the host is unreachable (EHOSTUNREACH)', 'linux'],
  [3, 2, 'REFUSED', 'the host does not speak UDP (ENOPROTOOPT)', 'both'],
  [3, 3, 'REFUSED', 'nobody listens there (ECONNREFUSED)', 'both'],
  [3, 5, 'UNREACHABLE', 'the route that it asks for failed (ENOTSUP)', 'linux'],
  [3, 6, 'UNREACHABLE', 'a router knows no such network (ENETUNREACH)', 'both'],
  [3, 7, 'UNREACHABLE', 'a router knows no such host (EHOSTDOWN)', 'both'],
  [3, 8, 'UNREACHABLE', 'this host is isolated (ENONET)', 'linux'],
  [3, 9, 'REFUSED', 'its network is administratively prohibited (ENETUNREACH)', 'both'],
  [3, 10, 'REFUSED', 'it is administratively prohibited (EHOSTUNREACH)', 'both'],
  [3, 11, 'UNREACHABLE', 'its network is unreachable for this DSCP (ENETUNREACH)', 'linux'],
  [3, 12, 'UNREACHABLE', 'the host is unreachable for this DSCP (EHOSTUNREACH)', 'linux'],
  [3, 13, 'REFUSED', 'it is administratively prohibited (EHOSTUNREACH)', 'both'],
  [3, 14, 'UNREACHABLE', 'a router does not allow this precedence (EHOSTUNREACH)', 'both'],
  [3, 15, 'UNREACHABLE', 'a router asks for a higher precedence (EHOSTUNREACH)', 'both'],
  [11, 0, 'UNREACHABLE', 'the time to live ran out on the way (EHOSTUNREACH)', 'linux'],
  [12, 0, 'UNREACHABLE', 'the host did not understand the packet (EPROTO)', 'linux'],
] as const;

/** The node engine knows only the code of the system. */
const BY_SYSTEM: Readonly<Record<string, string>> = {
  EHOSTDOWN: 'a router knows no such host (EHOSTDOWN)',
  EHOSTUNREACH: 'it is administratively prohibited (EHOSTUNREACH)',
  ENETUNREACH: 'a router knows no such network, or prohibits it (ENETUNREACH)',
};

describeEngines(({ engine, openUdpConnection }) => {
  describe('an ICMP error', () => {
    for (const [type, code, name, meaning, heardBy] of ERRORS) {
      if (engine === 'node' && heardBy === 'linux') continue;
      testWithRawSockets(`of type ${type} and code ${code} has its meaning, and fails no other datagram`, async () => {
        await using server = await silentServer();
        await using client = await openUdpConnection(server.address);
        const reported = once(client, 'peerError');
        sendIcmpError(type, code, client.local.port, hostAndPort(server.address).port);
        // The send may meet the pending error first.
        await client.send('one');
        const [error] = (await reported) as [{ code: string; message: string }];
        const isRefusal = engine === 'node' || name === 'REFUSED';
        const system = /\((\w+)\)/.exec(meaning)?.[1] ?? '';
        const why = engine === 'node' ? (BY_SYSTEM[system] ?? meaning) : meaning;
        expect(error.code).toBe(isRefusal ? 'REFUSED' : name);
        expect(error.message).toBe(`${server.address} ${isRefusal ? 'refused' : 'cannot be reached'}: ${why}`);
        await client.send('two');
        expect((await server.collect(2)).map(({ data }) => data.toString())).toEqual(['one', 'two']);
      });
    }
  });
});
