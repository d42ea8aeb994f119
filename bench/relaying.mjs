// The tables about `relay`: the same clients and the same server, with several relays between them.
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import {
  folder,
  freePort,
  portOf,
  run,
  runForJson,
  start,
  stop,
  udpcat,
  waitForPort,
  waitUntilRead,
} from './programs.mjs';

/** How long each relay warms up before the measurement, in seconds. */
const WARM_UP = 0.5;
/** Sessions of the measurement of memory. */
const SESSIONS = 10_000;

/** The configuration of an nginx that only relays. The system's own configuration and service are not touched. */
const nginxConfiguration = (address, port, target) => `
daemon off;
worker_processes 1;
worker_rlimit_nofile 65536;
pid ${folder}/nginx.pid;
error_log stderr crit;
load_module ${process.env.NGINX_MODULES ?? '/usr/lib/nginx/modules'}/ngx_stream_module.so;
events { worker_connections 32768; }
stream { access_log off; server { listen ${address}:${port} udp; proxy_pass ${target}; } }
`;

/** Starts a relay to a port of the far host. Each returns the program, and the port of its clients. */
const relays = {
  none: async (_, targetPort) => ({ program: undefined, port: targetPort }),
  udpcat: async ({ network, words = [] }, targetPort) => {
    const argv = [...udpcat, 'relay', `${network.address}:0`, `${network.address}:${targetPort}`, ...words];
    const program = start(network.far(argv));
    return { program, port: await portOf(program) };
  },
  c: async ({ network, programs }, targetPort) => {
    const program = start(network.far([programs.relay, network.address, network.address, String(targetPort)]));
    return { program, port: await portOf(program) };
  },
  nginx: async ({ network }, targetPort) => {
    const port = await freePort();
    const file = join(folder, `nginx-${port}.conf`);
    writeFileSync(file, nginxConfiguration(network.address, port, `${network.address}:${targetPort}`));
    const program = start(network.far(['nginx', '-c', file, '-p', folder, '-e', 'stderr']));
    await waitForPort(port, program);
    return { program, port };
  },
  socat: async ({ network }, targetPort) => {
    const port = await freePort();
    const listen = `UDP4-LISTEN:${port},bind=${network.address},fork`;
    const program = start(network.far(['socat', listen, `UDP4:${network.address}:${targetPort}`]));
    await waitForPort(port, program);
    return { program, port };
  },
};

/** Measures with an echo server behind a relay. `load` gets the port of the clients, and the relay. */
export async function behind(kind, place, load) {
  const { network, programs } = place;
  const server = start(network.far([programs['echo-batch'], network.address, 'plain']));
  const { program, port } = await relays[kind](place, await portOf(server));
  const result = await load(port, program);
  if (program !== undefined) await stop(program);
  await stop(server);
  return result;
}

/** Datagrams a second that pass one way in runs of 16. */
async function oneWay(kind, place, size, seconds) {
  const { network, programs } = place;
  const receiver = start(network.far([programs.receive, network.address, 'gro']));
  const receiverPort = await portOf(receiver);
  const { program, port } = await relays[kind](place, receiverPort);
  const words = [network.address, port, size, 16, seconds].map(String);
  const { seconds: took } = await runForJson(network.near([programs['send-runs'], ...words]));
  if (program !== undefined) await waitUntilRead(port, program);
  await waitUntilRead(receiverPort, receiver);
  const { received } = JSON.parse((await stop(receiver)).out);
  if (program !== undefined) await stop(program);
  return received / took;
}

/** Memory of a program in MB. */
export function memoryOf({ pid }) {
  const [, kilobytes] = /^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'));
  return Number(kilobytes) / 1000;
}

/** Asks a server of HTTP by many connections without pause. Returns a function that ends it, and resolves to the number of replies. */
function flood(base, connections) {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const asked = [
    ['GET', '/metrics'],
    ['GET', '/sessions'],
    ['GET', '/proxies'],
    ['POST', '/reset'],
  ];
  let [isOver, replies] = [false, 0];
  const ask = async (nth) => {
    while (!isOver) {
      const [method, path] = asked[nth++ % asked.length];
      const request = httpRequest(`${base}${path}`, { agent, method }).end();
      const [response] = await once(request, 'response');
      await once(response.resume(), 'end');
      replies += 1;
    }
  };
  const all = Promise.all(Array.from({ length: connections }, (_, nth) => ask(nth)));
  return async () => {
    isOver = true;
    await all;
    agent.destroy();
    return replies;
  };
}

/** The round-trip times of 500 datagrams a second by a relay that answers HTTP, in ms. @param connections that flood HTTP */
async function roundTrips(programs, seconds, connections) {
  const server = start([programs['echo-batch'], '127.0.0.1', 'plain']);
  const words = ['127.0.0.1:0', `127.0.0.1:${await portOf(server)}`, '--http', '127.0.0.1:0'];
  const relay = start([...udpcat, 'relay', ...words]);
  const address = `127.0.0.1:${await portOf(relay)}`;
  while (!/http on \S+\n/.test(relay.said.err)) await delay(10);
  const [, http] = /http on (\S+)\n/.exec(relay.said.err);
  const end = flood(`http://${http}`, connections);
  const load = ['--count', 500 * seconds, '--rate', '500/s', '--size', 64, '--wait', '2s', '-o', 'json'].map(String);
  const { out } = await start([...udpcat, 'send', address, ...load, '-n', 'all']).ended;
  const replies = await end();
  await stop(relay);
  await stop(server);
  const { rtt } = JSON.parse(out.trimEnd().split('\n').at(-1));
  return { rtt, replies };
}

/** Returns the tables about `relay`. */
export function relayingRows({ networks, seconds, isQuick }) {
  const needs = { nginx: ['nginx'], socat: ['socat'] };
  const names = {
    udpcat: 'udpcat relay',
    c: 'C, recvmmsg, sendmmsg and epoll',
    nginx: 'nginx, stream',
    socat: 'socat',
  };
  const contenders = (targets, measureOf) =>
    Object.entries(targets).map(([kind, target]) => ({
      name: names[kind],
      target,
      needs: ['cc', ...(needs[kind] ?? [])],
      measure: async (programs) => ({ value: await measureOf(kind, programs) }),
    }));

  const rates = networks.flatMap((network) =>
    [64, 1400].flatMap((size) => [
      ...[32, 256].map((inFlight) => ({
        title: `relay, 1 client, ${inFlight} in flight, ${size} bytes, ${network.name}`,
        unit: '/s',
        contenders: contenders(
          { udpcat: undefined, c: { least: 0.8 }, nginx: { least: 2 }, socat: { least: 3 } },
          async (kind, programs) => {
            const { rate } = await behind(kind, { network, programs }, (port) => {
              const words = [network.address, port, size, inFlight, WARM_UP, seconds(2)].map(String);
              return runForJson(network.near([programs['echo-load'], ...words]));
            });
            return rate;
          },
        ),
      })),
      ...[100, 1000].map((clients) => ({
        title: `relay, ${clients} clients, 1 in flight each, ${size} bytes, ${network.name}`,
        unit: '/s',
        contenders: contenders(
          { udpcat: undefined, c: { least: 0.5 }, nginx: { least: 1 } },
          async (kind, programs) => {
            const { rate } = await behind(kind, { network, programs }, (port) => {
              const words = [network.address, port, size, clients, WARM_UP, seconds(2)].map(String);
              return runForJson(network.near([programs['clients-load'], ...words]));
            });
            return rate;
          },
        ),
      })),
      {
        title: `relay, one way, runs of 16, ${size} bytes, ${network.name}`,
        unit: '/s',
        contenders: contenders({ udpcat: undefined, c: undefined, nginx: { least: 10 } }, (kind, programs) =>
          oneWay(kind, { network, programs }, size, seconds(2)),
        ),
      },
    ]),
  );

  const [loopback] = networks;
  const trip = async (kind, programs) => {
    const { p50 } = await behind(kind, { network: loopback, programs }, (port) => {
      const words = [loopback.address, port, 64, 1, WARM_UP, seconds(2)].map(String);
      return runForJson(loopback.near([programs['echo-load'], ...words]));
    });
    return p50;
  };
  const added = {
    title: 'relay, added round-trip time, 1 in flight, 64 bytes, loopback, p50',
    unit: 'µs',
    contenders: contenders({ udpcat: undefined, c: { most: 1.7 }, nginx: undefined }, async (kind, programs) => {
      const without = await trip('none', programs);
      return (await trip(kind, programs)) - without;
    }),
  };

  const sessions = {
    title: `relay, ${SESSIONS} sessions`,
    needs: ['cc'],
    figures: async (programs) => {
      const place = { network: loopback, programs };
      const grown = (kind) =>
        behind(kind, place, async (port, program) => {
          const one = [loopback.address, port, 64, 1, 0, 1].map(String);
          await run([programs['clients-load'], ...one]);
          const before = memoryOf(program);
          const many = [loopback.address, port, 64, isQuick ? SESSIONS / 10 : SESSIONS, 1, 3].map(String);
          const { rate, lost } = await runForJson([programs['clients-load'], ...many]);
          return { memory: memoryOf(program) - before, rate, lost };
        });
      const own = await grown('udpcat');
      const figures = [
        { name: 'memory that they take', value: own.memory, unit: 'MB', target: { most: 60 } },
        { name: 'datagrams sent again for want of a reply', value: own.lost, unit: '', target: { most: 0 } },
      ];
      return figures;
    },
  };

  const record = {
    title: 'relay --record, 1 client, 32 in flight, 64 bytes, loopback: share of the rate without',
    needs: ['cc'],
    figures: async (programs) => {
      const rateWith = async (words) => {
        const { rate } = await behind('udpcat', { network: loopback, programs, words }, (port) => {
          const load = [loopback.address, port, 64, 32, WARM_UP, seconds(2)].map(String);
          return runForJson([programs['echo-load'], ...load]);
        });
        return rate;
      };
      const without = await rateWith([]);
      const recorded = await rateWith(['--record', join(folder, 'relay.pcap'), '--record-replace']);
      return [{ name: 'with --record, by without', value: recorded / without, unit: '', target: { least: 0.7 } }];
    },
  };
  const requests = {
    title: 'relay --http, 64 clients of HTTP that ask without pause',
    needs: ['cc'],
    figures: async (programs) => {
      const quiet = await roundTrips(programs, seconds(5), 0);
      const flooded = await roundTrips(programs, seconds(5), 64);
      return [
        {
          name: 'p99 of the round trips of datagrams, less that without requests',
          value: flooded.rtt.p99Ms - quiet.rtt.p99Ms,
          unit: 'ms',
          target: { most: 5 },
        },
        { name: 'replies of HTTP', value: flooded.replies / seconds(5), unit: '/s', target: { least: 100 } },
      ];
    },
  };
  return [...rates, added, sessions, record, requests];
}
