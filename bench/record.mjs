// npm run bench:record [-- BUILD...]
//
// Measures in turns the highest rate without loss of `udpcat serve -o none`, without and with --record to a pcap file.
// A BUILD is the path of the main file of another build, which is measured too. The recording lies in the folder for
// temporary files ($TMPDIR), so the speed of that disk counts. Needs `npm run build` before, and a C compiler.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { highestLosslessRate } from './lossless.mjs';
import { compile, folder, portOf, runForJson, start, stop, udpcat, waitUntilRead } from './programs.mjs';
import { median } from './table.mjs';

/** The rate with --record must be at least this share of the rate without. */
const LEAST = 0.8;
/** The kinds of traffic: the size of datagrams in bytes, and how many are sent at a time. */
const KINDS = [
  { size: 64, burst: 1 },
  { size: 64, burst: 16 },
  { size: 1400, burst: 16 },
];
const SECONDS = 1;
const ROUNDS = 5;
/** The rate at which the first search begins, in datagrams a second, and its first step, as a factor. */
const FIRST_RATE = 100_000;
const FIRST_STEP = 2;

const [node, built] = udpcat;
const builds = [built, ...process.argv.slice(2)];
const { 'send-segments': sender } = await compile();
if (sender === undefined) throw new Error('there is no C compiler, cc, for the program that sends');

const recording = join(folder, 'x.pcap');

async function attempt(argv, { size, burst }, rate) {
  // Remove the recording of the last attempt. To overwrite it would make the disk write it during the next attempt.
  rmSync(recording, { force: true });
  const serve = start(argv);
  const port = await portOf(serve);
  const words = ['127.0.0.1', port, size, SECONDS, rate, SECONDS / 2, burst].map(String);
  const { sent, rate: reached } = await runForJson([sender, ...words]);
  await waitUntilRead(port, serve);
  const { err } = await stop(serve);
  const { received, dropped } = JSON.parse(err.trim().split('\n').at(-1));
  return { lossless: received === sent && dropped.output === 0, reached };
}

/** A build that is measured once in each round. Each search begins with the rate of the last one. */
function contender(build, options) {
  const how = ['-o', 'none', '--recv-buffer', '4Mi', '--stats', '--log-format', 'json'];
  const argv = [node, build, 'serve', '127.0.0.1:0', ...how, ...options];
  const values = [];
  let last;
  return {
    values,
    measure: async (kind) => {
      const step = last === undefined ? FIRST_STEP : undefined;
      const { value, asked } = await highestLosslessRate((rate) => attempt(argv, kind, rate), last ?? FIRST_RATE, {
        step,
      });
      last = asked;
      values.push(value);
    },
  };
}

for (const kind of KINDS) {
  const pairs = builds.map((build) => ({
    build,
    plain: contender(build, []),
    recorded: contender(build, ['--record', recording]),
  }));
  for (let round = 1; round <= ROUNDS; round += 1) {
    process.stderr.write(`${kind.size} bytes, ${kind.burst} at a time: ${round} of ${ROUNDS}\n`);
    for (const { plain, recorded } of pairs) {
      await plain.measure(kind);
      await recorded.measure(kind);
    }
  }
  for (const { build, plain, recorded } of pairs) {
    const [without, withIt] = [median(plain.values), median(recorded.values)];
    const ratio = withIt / without;
    const rates = `${Math.round(without)}/s, with --record ${Math.round(withIt)}/s`;
    const name = build === built ? '' : `, ${build}`;
    console.log(
      `${kind.size} bytes, ${kind.burst} at a time${name}: ${rates}: ratio ${ratio.toFixed(2)}, at least ${LEAST}`,
    );
    if (ratio < LEAST) process.exitCode = 1;
  }
}
process.exit();
