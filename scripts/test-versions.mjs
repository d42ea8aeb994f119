// npm run test:versions [-- 20 26]: runs the tests on several versions of Node, default 20, 22, 24 and 26. npx fetches them.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './bundle.mjs';
import { startOf } from './npm.mjs';

const wanted = process.argv.slice(2);
const versions = wanted.length > 0 ? wanted : ['20', '22', '24', '26'];

const run = (program, args) => spawnSync(...startOf(program, args), { cwd: root, stdio: 'inherit' }).status;
if (run('npm', ['run', 'build']) !== 0) process.exit(1);

const jest = [
  'node',
  '--experimental-vm-modules',
  '--disable-warning=ExperimentalWarning',
  join('node_modules', 'jest', 'bin', 'jest.js'),
];
const failed = versions.filter((version) => {
  console.log(`\n=== Node ${version}`);
  const npx = ['--yes', '--package', `node@${version}`, '--'];
  // If npx cannot fetch the version, it runs the Node of this script. That must not count.
  const right = `process.version.startsWith('v${version}.') || process.version === 'v${version}' || process.exit(1)`;
  if (run('npx', [...npx, 'node', '--eval', right]) !== 0) {
    console.error(`npx did not provide Node ${version}`);
    return true;
  }
  return run('npx', [...npx, ...jest]) !== 0;
});

console.log(
  failed.length === 0 ? `\nall tests pass on Node ${versions.join(', ')}` : `\ntests fail on Node ${failed.join(', ')}`,
);
if (failed.length > 0) process.exit(1);
