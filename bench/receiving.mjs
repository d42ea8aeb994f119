// The tables about `serve`: the highest rate at which a receiver receives, and writes, without loss.
import { closeSync, openSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { highestLosslessRate } from './lossless.mjs';
import {
  dgram,
  folder,
  freePort,
  portOf,
  runForJson,
  start,
  stop,
  udpcat,
  waitForPort,
  waitUntilRead,
} from './programs.mjs';

/** How many datagrams are sent at a time. A sender of single datagrams is much slower than these receivers. */
const BURST = 16;
/** How many datagrams are sent at a time to a program that records: as many as one message holds. */
const COALESCED = 46;
/** The rate at which the first search begins, in datagrams a second. */
const FIRST_RATE = 100_000;
/** The first step of the first search, as a factor. */
const FIRST_STEP = 2;
/** How long a search takes at most, in seconds. A program that captures takes two seconds for each rate. */
const LONGEST_SEARCH = 40;

const written = join(folder, 'written');

/** A receiver that chooses its port, and writes at its end how many datagrams it received. */
const counting = (argv, count) => ({
  begin: async (place) => {
    const program = start(place.network.far(argv(place)));
    return { program, port: await portOf(program) };
  },
  count,
});

const receivedIn = ({ out }) => JSON.parse(out).received;
const serve = ({ network }, output) => {
  const how = ['--recv-buffer', '4Mi', '--stats', '--log-format', 'json'];
  return [...udpcat, 'serve', `${network.address}:0`, '-o', output, ...how];
};

/** A receiver that writes payloads to a file. `portGiven`: its command line needs a port. */
const writing = (argv, count, portGiven = false) => ({
  begin: async (place) => {
    const given = portGiven ? await freePort() : undefined;
    const stdout = openSync(written, 'w');
    const program = start(place.network.far(argv(place, given)), { stdout });
    closeSync(stdout);
    if (given === undefined) return { program, port: await portOf(program) };
    await waitForPort(given, program);
    return { program, port: given };
  },
  count,
});

const countBytes = (_, size) => statSync(written).size / size;

async function countLines() {
  const { out } = await start(['grep', '-c', '"type":"datagram"', written]).ended;
  return Number(out);
}

const recording = join(folder, 'recording.pcap');
const receivedByServe = ({ err }) => JSON.parse(err.trim().split('\n').at(-1)).received;

/** Counts what udpcat received, if its recording holds all of it. */
function countRecorded(said, size) {
  const received = receivedByServe(said);
  return statSync(recording).size >= received * size ? received : 0;
}

/**
 * A program that captures to a file. Another program receives the datagrams. On the loopback, datagrams that were sent as segments
 * of one message are one packet of the capture.
 *
 * @param dropped finds in the program's last words how many packets it dropped
 */
const capturing = (argv, dropped) => ({
  begin: async (place) => {
    rmSync(recording, { force: true });
    const sink = start([place.programs.receive, place.network.address, 'gro']);
    const port = await portOf(sink);
    const program = start([
      ...argv,
      recording,
      '-i',
      'lo',
      ...(argv[0] === 'dumpcap' ? ['-f'] : []),
      `udp port ${port}`,
    ]);
    // Neither program says when its capture has begun.
    await delay(500);
    return { program, port, sink };
  },
  count: ({ err }, size, sent) =>
    Number(dropped.exec(err)?.[1]) === 0 && statSync(recording).size >= sent * size ? sent : 0,
});

const receivers = {
  none: counting((place) => serve(place, 'none'), receivedByServe),
  recorded: {
    begin: async (place) => {
      // To overwrite the recording of the last attempt would make the disk write it during this one.
      rmSync(recording, { force: true });
      const program = start([...serve(place, 'none'), '--record', recording]);
      return { program, port: await portOf(program) };
    },
    count: countRecorded,
  },
  tcpdump: capturing(['tcpdump', '-B', '4096', '-w'], /(\d+) packets dropped by kernel/),
  dumpcap: capturing(['dumpcap', '-q', '-B', '4', '-w'], /on interface '[^']*': \d+\/(\d+)/),
  dgram: counting(({ network }) => [...dgram.receive, network.address], receivedIn),
  plain: counting(({ network, programs }) => [programs.receive, network.address, 'plain'], receivedIn),
  gro: counting(({ network, programs }) => [programs.receive, network.address, 'gro'], receivedIn),
  raw: writing((place) => serve(place, 'raw'), countBytes),
  hex: writing((place) => serve(place, 'hex'), receivedByServe),
  'utf8 --meta': writing((place) => [...serve(place, 'utf8'), '--meta'], receivedByServe),
  dump: writing((place) => serve(place, 'dump'), receivedByServe),
  json: writing((place) => serve(place, 'json'), countLines),
  nc: writing(({ network }, port) => ['nc.openbsd', '-dluk', network.address, String(port)], countBytes, true),
};

/** Sends at a rate after a ramp. Returns whether all datagrams arrived, and the rate that the sender reached. */
async function attempt(place, receiver, { size, burst, payload, rate, seconds }) {
  const { network, programs } = place;
  const { program, port, sink } = await receiver.begin(place);
  const words = [network.address, port, size, seconds, rate, seconds / 2, burst, payload].map(String);
  const sender = await runForJson(network.near([programs['send-segments'], ...words]));
  await waitUntilRead(port, program);
  // A capture still holds packets after its neighbour has read them.
  if (sink !== undefined) await delay(1000);
  const received = await receiver.count(await stop(program), size, sender.sent);
  if (sink !== undefined) await stop(sink);
  return { lossless: received === sender.sent, reached: sender.rate };
}

/** Returns the tables about `serve`. */
export function receivingRows({ networks, seconds }) {
  const row = (title, network, { size, burst = BURST, payload = 'text' }, contenders) => ({
    title: `${title}, ${size} bytes, ${network.name}`,
    unit: '/s',
    contenders: contenders.map(([name, kind, target, needs = []]) => {
      // The rate with which the last search ended. The next search begins there, and so is short.
      let last;
      return {
        name,
        target,
        needs: ['cc', ...needs],
        measure: async (programs) => {
          const send = (rate) =>
            attempt({ network, programs }, receivers[kind], { size, burst, payload, rate, seconds: seconds(1) });
          const found = await highestLosslessRate(send, last ?? FIRST_RATE, {
            step: last === undefined ? FIRST_STEP : undefined,
            withinMs: seconds(LONGEST_SEARCH) * 1000,
          });
          last = found.asked;
          return found;
        },
      };
    }),
  });
  const [local] = networks;
  const counted = (network, size) => {
    const hasTargets = network === local && size === 64;
    return row('serve -o none', network, { size }, [
      ['udpcat serve -o none', 'none'],
      ["Node's dgram", 'dgram', hasTargets ? { least: 3 } : undefined],
      ...(hasTargets ? [['C, recvmmsg', 'plain']] : []),
      ['C, recvmmsg and UDP_GRO', 'gro', hasTargets ? { least: 0.5 } : undefined],
    ]);
  };
  return [
    ...networks.flatMap((network) => [64, 1400].map((size) => counted(network, size))),
    row('serve -o none, sent one by one', local, { size: 64, burst: 1 }, [
      ['udpcat serve -o none', 'none'],
      ["Node's dgram", 'dgram'],
      ['C, recvmmsg', 'plain'],
    ]),
    row('serve -o raw > file', local, { size: 64 }, [
      ['udpcat serve -o raw > file', 'raw'],
      ['nc -luk > file', 'nc', { least: 2 }, ['nc.openbsd']],
    ]),
    ...[64, 1400].map((size) =>
      row('serve -o none --record', local, { size, burst: COALESCED }, [
        ['udpcat serve -o none --record', 'recorded'],
        ['udpcat serve -o none', 'none', { least: size === 64 ? 0.25 : 0.8 }],
        ['tcpdump -w', 'tcpdump', { least: 3 }, ['tcpdump']],
        ['dumpcap -w', 'dumpcap', { least: 3 }, ['dumpcap']],
      ]),
    ),
    ...['hex', 'utf8 --meta', 'dump'].map((output) =>
      row(`serve -o ${output} > file`, local, { size: 64 }, [
        [`udpcat serve -o ${output} > file`, output],
        ['udpcat serve -o json > file', 'json', { least: 1 }],
      ]),
    ),
    // In JSON, text stands as it is, a NUL byte is an escape of six bytes, and random bytes stand in base64.
    ...[
      ['text', 'text', { least: 15 }],
      ['NUL bytes', 'nul', { least: 0.5 }],
      ['random bytes', 'bytes', { least: 0.5 }],
    ].map(([name, payload, target]) =>
      row(`serve -o json > file, ${name}`, local, { size: 64, payload }, [
        ['udpcat serve -o json > file', 'json'],
        ['nc -luk > file', 'nc', target, ['nc.openbsd']],
      ]),
    ),
  ];
}
