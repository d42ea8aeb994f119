// The highest rate that is received, and written, without loss.
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

/** Datagrams sent at a time: one by one no sender comes near what these receivers take. */
const BURST = 16;
/** Where the first search begins, a second, and its first step. */
const FIRST_RATE = 100_000;
const FIRST_STEP = 2;

const written = join(folder, 'written');

/** A receiver that chooses its port, and writes at its end how many datagrams it had. */
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

/** A receiver whose stdout is a file; `portGiven` for one that cannot choose its port. */
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
  // It finds nothing, and says so by its status, when none came.
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

/** Sends for a while at a rate that it has risen to before; whether all arrived, and the rate that the sender reached. */
async function attempt(place, receiver, { size, burst, rate, seconds }) {
  const { network, programs } = place;
  const { program, port } = await receiver.begin(place);
  const words = [network.address, port, size, seconds, rate, seconds / 2, burst].map(String);
  const sender = await runForJson(network.near([programs['send-segments'], ...words]));
  await waitUntilRead(port, program);
  const received = await receiver.count(await stop(program), size);
  return { lossless: received === sender.sent, reached: sender.rate };
}

/** The rows about `serve`. */
export function receivingRows({ networks, seconds }) {
  const row = (title, network, { size, burst = BURST }, contenders) => ({
    title: `${title}, ${size} bytes, ${network.name}`,
    unit: '/s',
    contenders: contenders.map(([name, kind, target, needs = []]) => {
      // Where the last search ended the next one begins, which is then short.
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
