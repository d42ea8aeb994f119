// npm run coverage [-- arguments for jest]: counts the branches of src that the tests take, in the test process and in
// the commands that the tests start. Both run sources with the same counters, so the sum is exact.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import istanbul from 'istanbul-lib-coverage';
import { bundle, root } from './bundle.mjs';
import { instrument } from './coverage-instrument.mjs';

/** The run fails below this share of taken branches, in percent. */
const LEAST = 90;

const folder = join(root, 'coverage');
const counts = join(folder, 'counts');
const source = join(root, 'src');
rmSync(folder, { recursive: true, force: true });
mkdirSync(counts, { recursive: true });

await bundle({
  outdir: join(folder, 'bin'),
  banner: `const COVERAGE_FOLDER = ${JSON.stringify(counts)};\n${readFileSync(join(root, 'scripts/coverage-child.cjs'), 'utf8')}`,
  plugins: [
    {
      name: 'count-branches',
      setup(build) {
        build.onLoad({ filter: /\.ts$/ }, ({ path }) =>
          path.startsWith(source)
            ? { contents: instrument(readFileSync(path, 'utf8'), path).code, loader: 'ts' }
            : undefined,
        );
      },
    },
  ],
});
const command = join(folder, 'bin', 'udpcat.cjs');
chmodSync(command, 0o755);

const { status, signal } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    join(root, 'node_modules/jest/bin/jest.js'),
    '--no-cache',
    ...process.argv.slice(2),
  ],
  { cwd: root, stdio: 'inherit', env: { ...process.env, UDPCAT_COMMAND: command, UDPCAT_COVERAGE: counts } },
);

// A file that no test loads counts, too: none of its branches is taken.
const total = istanbul.createCoverageMap();
for (const entry of readdirSync(source, { recursive: true })) {
  const path = join(source, entry);
  if (path.endsWith('.ts')) total.addFileCoverage(instrument(readFileSync(path, 'utf8'), path).map);
}
for (const name of readdirSync(counts)) {
  for (const [path, { s, f, b }] of Object.entries(JSON.parse(readFileSync(join(counts, name), 'utf8')))) {
    const { data } = total.fileCoverageFor(path);
    for (const id of Object.keys(s)) data.s[id] += s[id];
    for (const id of Object.keys(f)) data.f[id] += f[id];
    for (const id of Object.keys(b)) b[id].forEach((count, index) => (data.b[id][index] += count));
  }
}

const rows = total.files().map((path) => {
  const file = total.fileCoverageFor(path);
  const missed = Object.entries(file.b)
    .filter(([, taken]) => taken.includes(0))
    .map(([id]) => file.branchMap[id].loc.start.line);
  const { branches } = file.toSummary().data;
  return [relative(root, path), branches.covered, branches.total, [...new Set(missed)].sort((a, b) => a - b)];
});
const { branches } = total.getCoverageSummary().data;
const width = Math.max(5, ...rows.map(([path]) => path.length));
const percent = (part, whole) => (whole === 0 ? 100 : (100 * part) / whole);
const print = (path, taken, all, missed) =>
  console.log(
    `${path.padEnd(width)}  ${percent(taken, all).toFixed(1).padStart(5)} %  ${`${taken}/${all}`.padStart(9)}  ${missed}`,
  );

console.log(`\n${'branches of'.padEnd(width)}  taken      of all  lines with one that is not`);
for (const [path, taken, all, missed] of rows.sort()) print(path, taken, all, missed.join(' '));
print('total', branches.covered, branches.total, '');

if (status !== 0) {
  console.error(`npm run coverage: the tests failed (${signal ?? `status ${status}`})`);
  process.exit(1);
}
if (percent(branches.covered, branches.total) < LEAST) {
  console.error(`npm run coverage: fewer than ${LEAST} % of the branches are taken`);
  process.exit(1);
}
