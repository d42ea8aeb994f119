// npm run bench [-- [--quick] [WORD...]]
//
// Measures udpcat and other programs side by side on this machine. Run `npm run build` before.
//
// With words, only the tables run whose titles contain all of them. With --quick each figure is measured once, in a tenth of
// the time, to try the bench out. A run of all tables takes most of an hour and writes RESULTS.md.
//
// Traffic stays on the loopback and between two network namespaces. Measurements that need root, or a program that is
// not installed, are left out and named at the end.
import { writeFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { answeringRows } from './answering.mjs';
import { echoingRows } from './echoing.mjs';
import { faultingRows } from './faulting.mjs';
import { measuringRows } from './measuring.mjs';
import { loopback, openVeth, whyNoVeth } from './networks.mjs';
import { compile, hasProgram, MEASUREMENT_MS } from './programs.mjs';
import { receivingRows } from './receiving.mjs';
import { relayingRows } from './relaying.mjs';
import { rememberingRows } from './remembering.mjs';
import { sendingRows } from './sending.mjs';
import { startingRows } from './starting.mjs';
import { describeTarget, digits, median, quantity, reaches, tableLines } from './table.mjs';
import { watchingRows } from './watching.mjs';

/** Each figure is the median of this many rounds. In a round each contender is measured once. */
const ROUNDS = 5;

const args = process.argv.slice(2);
const isQuick = args.includes('--quick');
const rounds = isQuick ? 1 : ROUNDS;
const words = args.filter((arg) => arg !== '--quick');

const leftOut = new Set();
const mark = (value, target) => (target === undefined ? '' : reaches(value, target) ? 'yes' : 'NO');

/** Whether all programs are installed that a measurement needs. Notes missing ones for the end. */
function isPossible({ name, title, needs = [] }) {
  const missing = needs.filter((need) => !hasProgram(need));
  for (const need of missing) leftOut.add(`${name ?? title}: ${need} is not installed`);
  return missing.length === 0;
}

/** Settles as a measurement does. Rejects when it takes too long: the bench then ends all programs that it started. */
function inTime(measurement, what) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`${what}: not done after ${MEASUREMENT_MS / 60_000} minutes`)),
      MEASUREMENT_MS,
    );
    measurement.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/**
 * Measures the contenders in turn and returns the lines of their table. Compares the first one, udpcat, with the
 * others. A target of the others is about the ratio, a target of the first one about its own figure.
 */
async function compare({ title, unit, contenders }, programs) {
  const present = contenders.filter(isPossible);
  const results = new Map(present.map((contender) => [contender, []]));
  for (let round = 1; round <= rounds; round++) {
    for (const contender of present) {
      process.stderr.write(`${title}: ${round} of ${rounds}, ${contender.name}\n`);
      results.get(contender).push(await inTime(contender.measure(programs), `${title}, ${contender.name}`));
    }
  }
  const middle = (contender) => median(results.get(contender).map(({ value }) => value));
  const [own] = present;
  const rows = present.map((contender) => {
    const values = results.get(contender).map(({ value }) => value);
    const isLimited = results.get(contender).some(({ limited }) => limited);
    const ratio = middle(own) / middle(contender);
    return [
      contender.name,
      `${isLimited ? '≥ ' : ''}${quantity(median(values), unit)}`,
      `${quantity(Math.min(...values), unit)} to ${quantity(Math.max(...values), unit)}`,
      contender === own ? '' : digits(ratio),
      contender.target === undefined ? '' : describeTarget(contender.target, contender === own ? unit : undefined),
      mark(contender === own ? middle(own) : ratio, contender.target),
    ];
  });
  return tableLines([title, 'median', 'least to most', 'udpcat : it', 'target', 'reached'], rows);
}

/** Measures figures, those of udpcat with a target, and returns the lines of their table. */
async function measure({ title, figures }, programs) {
  process.stderr.write(`${title}\n`);
  const rows = (await inTime(figures(programs), title)).map(({ name, value, unit, target }) => [
    name,
    quantity(value, unit).trim(),
    target === undefined ? '' : describeTarget(target),
    mark(value, target),
  ]);
  return tableLines([title, 'figure', 'target', 'reached'], rows);
}

const noVeth = whyNoVeth();
if (noVeth !== undefined) leftOut.add(`everything over veth: ${noVeth}`);
const setting = {
  networks: noVeth === undefined ? [loopback, await openVeth()] : [loopback],
  isQuick,
  /** Names something at the end that could not be measured. */
  leaveOut: (what) => {
    leftOut.add(what);
  },
  /** How long a measurement takes, in seconds: `full`, or a tenth of it with --quick. */
  seconds: (full) => (isQuick ? full / 10 : full),
};
const rows = [
  sendingRows,
  receivingRows,
  echoingRows,
  relayingRows,
  faultingRows,
  rememberingRows,
  startingRows,
  measuringRows,
  watchingRows,
  answeringRows,
]
  .flatMap((rowsOf) => rowsOf(setting))
  .filter(({ title }) => words.every((word) => title.includes(word)));
const programs = await compile();
const loadBefore = loadavg()[0];

const lines = [];
const print = (...some) => {
  lines.push(...some);
  for (const line of some) console.log(line);
};
for (const row of rows) {
  if (!isPossible(row)) continue;
  print(...(await (row.contenders === undefined ? measure : compare)(row, programs)), '');
}
for (const what of leftOut) print(`Left out: ${what}.`);

if (rows.length === 0) {
  console.error(`no table has all of these words in its title: ${words.join(' ')}`);
  process.exitCode = 2;
} else if (words.length === 0 && !isQuick) {
  const [{ model }] = cpus();
  const machine = `${cpus().length} cores (${model}), Linux ${release()}, Node ${process.version}`;
  const head = [
    '# Results of the bench',
    '',
    `Made by \`npm run bench\` on ${new Date().toISOString().slice(0, 10)}: ${machine}; load average before it ${loadBefore.toFixed(2)}.`,
    '',
    `Each figure is the median of ${ROUNDS} runs, in which the programs took turns. "udpcat : it" is udpcat's figure divided by`,
    'that of the program in the row. "≥": the sender could not send faster. docs/benchmarks.md says how each figure is measured.',
    '',
  ];
  writeFileSync(new URL('RESULTS.md', import.meta.url), `${[...head, ...lines].join('\n').trimEnd()}\n`);
}
process.exit();
