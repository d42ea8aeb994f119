// The tables about `serve`: the highest rate at which a receiver receives, and writes, without loss.
import { execFile } from 'node:child_process';
import { closeSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
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
/** The rate at which the first search begins, in datagrams a second. */
const FIRST_RATE = 100_000;
/** The first step of the first search, as a factor. */
const FIRST_STEP = 2;

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
  // If no datagram came, grep ends with status 1, which rejects.
  const found = promisify(execFile)('grep', ['-c', '"type":"datagram"', written]);
  const { stdout } = await found.catch((error) => error);
  return Number(stdout);
}

const receivers = {
  none: counting(
    (place) => serve(place, 'none'),
    ({ err }) => JSON.parse(err.trim().split('\n').at(-1)).received,
  ),
  dgram: counting(({ network }) => [...dgram.receive, network.address], receivedIn),
  plain: counting(({ network, programs }) => [programs.receive, network.address, 'plain'], receivedIn),
  gro: counting(({ network, programs }) => [programs.receive, network.address, 'gro'], receivedIn),
  raw: writing((place) => serve(place, 'raw'), countBytes),
  json: writing((place) => serve(place, 'json'), countLines),
  nc: writing(({ network }, port) => ['nc.openbsd', '-dluk', network.address, String(port)], countBytes, true),
};

/** Sends at a rate after a ramp. Returns whether all datagrams arrived, and the rate that the sender reached. */
async function attempt(place, receiver, { size, burst, rate, seconds }) {
  const { network, programs } = place;
  const { program, port } = await receiver.begin(place);
  const words = [network.address, port, size, seconds, rate, seconds / 2, burst].map(String);
  const sender = await runForJson(network.near([programs['send-segments'], ...words]));
  await waitUntilRead(port, program);
  const received = await receiver.count(await stop(program), size);
  return { lossless: received === sender.sent, reached: sender.rate };
}

/** Returns the tables about `serve`. */
export function receivingRows({ networks, seconds }) {
  const row = (title, network, { size, burst = BURST }, contenders) => ({
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
            attempt({ network, programs }, receivers[kind], { size, burst, rate, seconds: seconds(1) });
          const found = await highestLosslessRate(
            send,
            last ?? FIRST_RATE,
            last === undefined ? FIRST_STEP : undefined,
          );
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
    row('serve -o json > file', local, { size: 64 }, [
      ['udpcat serve -o json > file', 'json'],
      ['nc -luk > file', 'nc', { least: 0.5 }, ['nc.openbsd']],
    ]),
  ];
}
