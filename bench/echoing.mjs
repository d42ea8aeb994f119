// The tables about `echo`: the same client measures several echo servers.
import { cpus } from 'node:os';
import { dgram, freePort, portOf, runForJson, start, stop, udpcat, waitForPort } from './programs.mjs';

/** How long each server warms up before the measurement, in seconds. */
const WARM_UP = 0.5;

const saying = (argv) => async (place) => {
  const program = start(place.network.far(argv(place)));
  return { program, port: await portOf(program) };
};

const onFreePort =
  (argv) =>
  async ({ network }) => {
    const port = await freePort();
    const program = start(network.far(argv(network.address, String(port))));
    await waitForPort(port, program);
    return { program, port };
  };

const servers = {
  udpcat: saying(({ network }) => [...udpcat, 'echo', `${network.address}:0`]),
  unguarded: saying(({ network }) => [...udpcat, 'echo', `${network.address}:0`, '--no-loop-guard']),
  dgram: saying(({ network }) => [...dgram.echo, network.address]),
  c: saying(({ network, programs }) => [programs.echo, network.address]),
  runs: saying(({ network, programs }) => [programs['echo-batch'], network.address, 'gro']),
  socat: onFreePort((address, port) => ['socat', `UDP4-LISTEN:${port},bind=${address},fork`, 'PIPE']),
  ncat: onFreePort((address, port) => ['ncat', '-u', '-l', '-k', '--exec', '/bin/cat', address, port]),
};

async function measure(place, begin, { size, inFlight, seconds, client = 'echo-load', loops = 0 }) {
  const { network, programs } = place;
  const { program, port } = await begin(place);
  const busy = Array.from({ length: loops }, () => start(['sh', '-c', 'while :; do :; done']));
  const words = [network.address, port, size, inFlight, WARM_UP, seconds].map(String);
  const result = await runForJson(network.near([programs[client], ...words]));
  for (const loop of busy) await stop(loop);
  await stop(program);
  return result;
}

/** The tables about one question at a time by a client that waits with poll(), on a quiet and on a busy machine. */
function pollingRows({ network, seconds }) {
  return [0, cpus().length].map((loops) => {
    const contender = (name, kind, target) => ({
      name,
      target,
      needs: ['cc'],
      measure: async (programs) => {
        const load = { size: 64, inFlight: 1, seconds: seconds(1), client: 'echo-poll', loops };
        return { value: (await measure({ network, programs }, servers[kind], load)).p50 };
      },
    });
    return {
      title: `echo, 1 in flight by poll, 64 bytes, ${network.name}, p50${loops ? ', a busy loop on each core' : ''}`,
      unit: 'µs',
      contenders: [
        contender('udpcat echo', 'udpcat'),
        contender('C, recvfrom and sendto', 'c', { most: loops > 0 ? 1.6 : 1.25 }),
        contender("Node's dgram", 'dgram'),
      ],
    };
  });
}

/** The tables about runs: the client sends segments of messages, and receives coalesced datagrams. */
function coalescedRows({ network, seconds }) {
  return [64, 1400].map((size) => {
    const contender = (name, kind, target) => ({
      name,
      target,
      needs: ['cc'],
      measure: async (programs) => {
        const load = { size, inFlight: 1472, seconds: seconds(1), client: 'echo-segments-load' };
        return { value: (await measure({ network, programs }, servers[kind], load)).rate };
      },
    });
    return {
      title: `echo, runs, ${size} bytes, ${network.name}`,
      unit: '/s',
      contenders: [
        contender('udpcat echo', 'udpcat'),
        contender('udpcat echo --no-loop-guard', 'unguarded'),
        contender('C, UDP_GRO and UDP_SEGMENT', 'runs', { least: 0.8 }),
      ],
    };
  });
}

/** Returns the tables about `echo`. */
export function echoingRows({ networks, seconds }) {
  const polling = pollingRows({ network: networks[0], seconds });
  const others = networks.flatMap((network, nth) =>
    [64, 1400].flatMap((size) => {
      const hasTargets = nth === 0 && size === 64;
      return (hasTargets ? [1, 32, 256] : [32]).map((inFlight) => {
        const contender = (name, kind, target, needs = []) => ({
          name,
          target: hasTargets ? target : undefined,
          needs: ['cc', ...needs],
          measure: async (programs) => {
            const load = { size, inFlight, seconds: seconds(1) };
            const { rate, p50 } = await measure({ network, programs }, servers[kind], load);
            return { value: inFlight === 1 ? p50 : rate };
          },
        });
        const slow = [
          contender('socat, UDP-LISTEN and PIPE', 'socat', { least: 15 }, ['socat']),
          contender('ncat --exec /bin/cat', 'ncat', { least: 15 }, ['ncat']),
        ];
        return {
          title: `echo, ${inFlight} in flight, ${size} bytes, ${network.name}${inFlight === 1 ? ', p50' : ''}`,
          unit: inFlight === 1 ? 'µs' : '/s',
          contenders: [
            contender('udpcat echo', 'udpcat'),
            contender('C, recvfrom and sendto', 'c', inFlight === 1 ? { most: 1.2 } : { least: 1 }),
            contender("Node's dgram", 'dgram'),
            ...(inFlight === 32 && hasTargets ? slow : []),
          ],
        };
      });
    }),
  );
  return [...polling, ...coalescedRows({ network: networks[0], seconds }), ...others];
}
