// node scripts/test-with.mjs NAME=VALUE [arguments for jest]: runs `npm test` with a variable of the environment. The shells of
// Windows and of other systems have no common words for that.
import { spawnSync } from 'node:child_process';
import { root } from './bundle.mjs';
import { startOf } from './npm.mjs';

const [setting = '', ...args] = process.argv.slice(2);
const [, name, value] = /^(\w+)=(.*)$/.exec(setting) ?? [];
if (name === undefined) throw new Error(`'${setting}' is not NAME=VALUE`);
const { status } = spawnSync(...startOf('npm', ['test', '--', ...args]), {
  cwd: root,
  env: { ...process.env, [name]: value },
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
