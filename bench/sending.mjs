// The tables about `send`: how many datagrams a second a program sends at full speed.
import { dgram, freePort, portOf, run, runForJson, start, stop, udpcat, waitForPort } from './programs.mjs';

/** Starts the fastest receiver and calls `send` with its port. A slow receiver would slow the sender down. */
async function intoReceiver({ network, programs }, send) {
  const receiver = start(network.far([programs.receive, network.address, 'gro']));
  const rate = await send(await portOf(receiver));
  const { received } = JSON.parse((await stop(receiver)).out);
  if (received === 0) throw new Error('no datagram arrived at the receiver');
  return rate;
}

/** A sender that writes how many datagrams it has sent and how long that took. */
const sendWith = (argv) => async (place, size, seconds) =>
  intoReceiver(place, async (port) => {
    const { network } = place;
    const words = [network.address, port, size, seconds].map(String);
    const result = await runForJson(network.near([...argv(place), ...words]));
    return result.sent / result.seconds;
  });

const sendWithUdpcat = (place, size, seconds) =>
  intoReceiver(place, async (port) => {
    const { network } = place;
    const what = ['--size', String(size), '--rate', 'max', '--duration', `${seconds}s`];
    const how = ['--stats', '--log-format', 'json'];
    const { err } = await run(network.near([...udpcat, 'send', `${network.address}:${port}`, ...what, ...how]));
    const { sent, durationMs } = JSON.parse(err.trim().split('\n').at(-1));
    return (sent / durationMs) * 1000;
  });

async function sendWithIperf3({ network }, size, seconds) {
  const port = await freePort();
  const server = start(network.far(['iperf3', '-s', '-1', '-B', network.address, '-p', String(port)]));
  await waitForPort(port, server, 'tcp');
  const what = ['-u', '-b', '0', '-l', String(size), '-t', String(Math.max(1, Math.round(seconds))), '-J'];
  const { end } = await runForJson(network.near(['iperf3', '-c', network.address, '-p', String(port), ...what]));
  await stop(server);
  const { packets, seconds: took } = end.streams[0].udp;
  return packets / took;
}

const sendWithSockperf = (place, size, seconds) =>
  intoReceiver(place, async (port) => {
    const { network } = place;
    const what = ['-m', String(size), '-t', String(Math.max(1, Math.round(seconds)))];
    const words = ['sockperf', 'tp', '-i', network.address, '-p', String(port), ...what];
    const { out } = await run(network.near(words));
    return Number(/Message Rate is (\d+)/.exec(out)[1]);
  });

/** Returns the tables about `send`. */
export function sendingRows({ networks, seconds }) {
  return networks.flatMap((network) =>
    [64, 1400].map((size) => {
      const contender = (name, send, target, needs) => ({
        name,
        target: size === 64 ? target : undefined,
        needs: ['cc', ...(needs ?? [])],
        measure: async (programs) => ({ value: await send({ network, programs }, size, seconds(3)) }),
      });
      const slow = [
        contender('sockperf tp', sendWithSockperf, undefined, ['sockperf']),
        contender(
          "Node's dgram",
          sendWith(() => dgram.send),
        ),
        contender(
          'C, send in a loop',
          sendWith(({ programs }) => [programs['send-plain']]),
        ),
      ];
      return {
        title: `send, ${size} bytes, ${network.name}`,
        unit: '/s',
        contenders: [
          contender('udpcat send --rate max', sendWithUdpcat),
          contender('iperf3 -u -b 0', sendWithIperf3, { least: network.name === 'veth' ? 5 : 40 }, ['iperf3']),
          ...(size === 64 ? slow : []),
          contender(
            'C, sendmmsg and UDP_SEGMENT',
            sendWith(({ programs }) => [programs['send-segments']]),
            network.name === 'veth' ? undefined : { least: 0.8 },
          ),
        ],
      };
    }),
  );
}
