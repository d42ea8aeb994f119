// Starts npm and npx from scripts. On Windows both are batch files, which Node starts only by a shell.
import { dirname, join } from 'node:path';

/**
 * Returns the program and the arguments that start a program, for `spawnSync` and the like.
 *
 * @param {string} program `npm`, `npx`, or any other program, which is returned as it is
 * @param {string[]} args
 * @returns {[string, string[]]}
 */
export function startOf(program, args) {
  const { npm_execpath: cli = '' } = process.env;
  const isBatch = process.platform === 'win32' && ['npm', 'npx'].includes(program) && /npm-cli\.js$/.test(cli);
  return isBatch ? [process.execPath, [join(dirname(cli), `${program}-cli.js`), ...args]] : [program, args];
}

/**
 * Returns the program and the arguments that start udpcat where it is installed.
 *
 * @param {string} packages a folder `node_modules`
 * @param {string[]} args
 * @returns {[string, string[]]}
 */
export function startOfInstalled(packages, args) {
  return process.platform === 'win32'
    ? [process.execPath, [join(packages, 'udpcat', 'dist', 'bin', 'udpcat.cjs'), ...args]]
    : [join(packages, '.bin', 'udpcat'), args];
}
