// The tables about `send`: how many datagrams a second a program sends at full speed.
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dgram, folder, freePort, portOf, run, runForJson, start, stop, udpcat, waitForPort } from './programs.mjs';

/** How many different datagrams a file for `send` holds. It holds all of them several times. */
const SAMPLES = 10_000;
/** The goal of `send --frame json`, in datagrams a second. */
const LEAST_FROM_JSON = 1_000_000;

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
    const send = [...udpcat, 'send', `${network.address}:${port}`, ...what, ...withStats];
    const { sent, durationMs } = last(await run(network.near(send)));
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

const last = ({ err }) => JSON.parse(err.trim().split('\n').at(-1));
const withStats = ['--stats', '--log-format', 'json'];

/** Runs a function with an open file. */
async function withFile(path, flags, use) {
  const fd = openSync(path, flags);
  try {
    return await use(fd);
  } finally {
    closeSync(fd);
  }
}

const [pieces, frames] = [join(folder, 'pieces'), join(folder, 'frames')];

/** Lets `serve -o json` receive these payloads of one size. Returns what it wrote. */
async function received({ network }, payloads) {
  writeFileSync(pieces, Buffer.concat(payloads));
  const how = ['-o', 'json', '-c', String(payloads.length), '--recv-buffer', '4Mi'];
  const server = await withFile(frames, 'w', (stdout) =>
    start(network.far([...udpcat, 'serve', `${network.address}:0`, ...how]), { stdout }),
  );
  const words = ['--frame', `chunk:${payloads[0].length}`, '--rate', '50k/s'];
  const send = [...udpcat, 'send', `${network.address}:${await portOf(server)}`, ...words];
  await withFile(pieces, 'r', (stdin) => run(network.near(send), { stdin }));
  await server.ended;
  return readFileSync(frames);
}

/**
 * Sends datagrams of 64 bytes from a file.
 *
 * @param frame of udpcat; undefined: the program is Node's dgram, and the file holds JSON lines
 * @param payloadOf makes payload number `nth`, of 64 bytes
 */
const fromFile = (frame, payloadOf, repeats) => async (place) => {
  const { network } = place;
  const payloads = Array.from({ length: SAMPLES }, (_, nth) => payloadOf(nth));
  const whole =
    frame === 'lines'
      ? Buffer.concat(payloads.flatMap((payload) => [payload, Buffer.of(0x0a)]))
      : await received(place, payloads);
  await withFile(frames, 'w', (file) => {
    for (let nth = 0; nth < repeats; nth++) writeFileSync(file, whole);
  });
  const result = await intoReceiver(place, (port) =>
    withFile(frames, 'r', async (stdin) => {
      if (frame === undefined) {
        return runForJson(network.near([...dgram['send-json'], network.address, String(port)]), { stdin });
      }
      const send = [...udpcat, 'send', `${network.address}:${port}`, '--frame', frame, ...withStats];
      const { sent, sentPerSecond } = last(await run(network.near(send), { stdin }));
      return { sent, seconds: sent / sentPerSecond };
    }),
  );
  rmSync(frames);
  if (result.sent !== SAMPLES * repeats) throw new Error(`${result.sent} of ${SAMPLES * repeats} datagrams were sent`);
  return result.sent / result.seconds;
};

/** Returns the table about `send --frame json`. */
function fromFileRow(network, seconds) {
  const repeats = seconds(100);
  const text = (nth) => Buffer.from(`datagram ${nth} of the bench`.padEnd(64, '.'));
  const contender = (name, send, target) => ({
    name,
    target,
    needs: ['cc'],
    measure: async (programs) => ({ value: await send({ network, programs }) }),
  });
  return {
    title: `send --frame json < file, 64 bytes, ${network.name}`,
    unit: '/s',
    contenders: [
      contender('udpcat send --frame json < file', fromFile('json', text, repeats), { least: LEAST_FROM_JSON }),
      contender(
        'the same, payloads of any bytes',
        fromFile('json', () => randomBytes(64), repeats),
      ),
      contender('udpcat send --frame lines < file', fromFile('lines', text, repeats)),
      contender("Node's readline, JSON.parse and dgram", fromFile(undefined, text, repeats)),
    ],
  };
}

/** Returns the tables about `send`. */
export function sendingRows({ networks, seconds }) {
  const [local] = networks;
  const atFullSpeed = networks.flatMap((network) =>
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
  return [...atFullSpeed, fromFileRow(local, seconds)];
}
