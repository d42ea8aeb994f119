// The tables about the round-trip times of `send`, beside those that tcpdump takes from the kernel at the same time.
import { readFileSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { loopback } from './networks.mjs';
import { folder, portOf, run, start, startCapture, stop, udpcat } from './programs.mjs';

const SIZE = 64;
const INTERVAL_MS = 2;
/** How far a round-trip time may be off: so many microseconds, and this part of the kernel's time. */
const [OFF_US, OFF_PART] = [10, 0.02];

const [captured, recorded] = [join(folder, 'captured.pcap'), join(folder, 'recorded.pcap')];

/** Sizes of the headers in a capture of the loopback, in bytes: of the file, a packet, Ethernet, and IPv4 (without options). */
const [FILE, PACKET, ETHERNET, IPV4, UDP] = [24, 16, 14, 20, 8];

/**
 * Reads datagrams from a capture in the format of pcap with nanoseconds, in the byte order of this machine. On the loopback,
 * datagrams that were sent as segments of one message are one packet of the capture.
 */
function* datagramsOf(path) {
  const bytes = readFileSync(path);
  for (let at = FILE; at + PACKET <= bytes.length;) {
    const packet = at + PACKET;
    at = packet + bytes.readUInt32LE(packet - 8);
    const link = bytes.readUInt32LE(20) === 1 ? ETHERNET : 0;
    const timeUs = bytes.readUInt32LE(packet - 16) * 1e6 + bytes.readUInt32LE(packet - 12) / 1000;
    const from = bytes.readUInt16BE(packet + link + IPV4);
    for (let start = packet + link + IPV4 + UDP; start < at; start += SIZE) {
      yield { timeUs, from, payload: bytes.toString('latin1', start, start + SIZE) };
    }
  }
}

/** Returns the time from each request to the reply with the same payload, in microseconds, by the payload. */
function roundTripsIn(path, port) {
  const [asked, roundTrips] = [new Map(), new Map()];
  for (const { timeUs, from, payload } of datagramsOf(path)) {
    if (from !== port) asked.set(payload, timeUs);
    else if (asked.has(payload) && !roundTrips.has(payload)) roundTrips.set(payload, timeUs - asked.get(payload));
  }
  return roundTrips;
}

const percentile = (values, p) => values.toSorted((a, b) => a - b)[Math.ceil((values.length * p) / 100) - 1];

/** Asks an echo server one question after the other. Returns the figures of the differences. */
async function measure(programs, count, loops) {
  const server = start([programs.echo, loopback.address]);
  const port = await portOf(server);
  rmSync(recorded, { force: true });
  const capture = await startCapture(`udp port ${port}`, ['-s', '0', '--immediate-mode', '-Z', 'root', '-w', captured]);
  const busy = Array.from({ length: loops }, () => start(['sh', '-c', 'while :; do :; done']));
  const what = [
    '--engine',
    'linux',
    '--size',
    String(SIZE),
    '-c',
    String(count),
    '--interval',
    `${INTERVAL_MS}ms`,
    '-w',
    '10s',
  ];
  const how = ['-o', 'none', '--record', recorded, '--stats', '--log-format', 'json'];
  const { err } = await run([...udpcat, 'send', `${loopback.address}:${port}`, ...what, ...how]);
  for (const loop of busy) await stop(loop);
  await stop(capture, 'SIGINT');
  await stop(server);

  const [told, kernel] = [roundTripsIn(recorded, port), roundTripsIn(captured, port)];
  const pairs = [...kernel].flatMap(([payload, us]) => (told.has(payload) ? [{ us, told: told.get(payload) }] : []));
  if (pairs.length < count / 2) throw new Error(`tcpdump has seen only ${pairs.length} of ${count} round trips`);
  const offs = pairs.map((pair) => Math.abs(pair.told - pair.us));
  const parts = pairs.map((pair) => Math.abs(pair.told - pair.us) / (OFF_US + OFF_PART * pair.us));
  const { rtt } = JSON.parse(err.trim().split('\n').at(-1));
  const [own, other] = [rtt.p50Ms * 1000, percentile([...kernel.values()], 50)];
  return [
    { name: "the kernel's round-trip time, p50", value: other, unit: 'µs' },
    { name: 'off, p50', value: percentile(offs, 50), unit: 'µs' },
    { name: 'off, p99', value: percentile(offs, 99), unit: 'µs' },
    { name: 'off, by the limit, p50', value: percentile(parts, 50), unit: '', target: { most: 1 } },
    { name: 'off, by the limit, p99', value: percentile(parts, 99), unit: '', target: { most: 1 } },
    {
      name: 'p50 of the summary, off, by the limit',
      value: Math.abs(own - other) / (OFF_US + OFF_PART * other),
      unit: '',
      target: { most: 1 },
    },
  ];
}

/** Returns the tables about round-trip times, on a quiet and on a busy machine. */
export function measuringRows({ isQuick }) {
  return [0, cpus().length].map((loops) => ({
    title: `send, round-trip times beside tcpdump's, ${SIZE} bytes, loopback${loops ? ', a busy loop on each core' : ''}`,
    needs: ['cc', 'tcpdump'],
    figures: (programs) => measure(programs, isQuick ? 500 : 5000, loops),
  }));
}
