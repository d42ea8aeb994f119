// Part of npm run check:package: installs the tarball with each installer that people have, and looks at what they say.
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { startOf, startOfInstalled } from './npm.mjs';

/** The flags that each installer has for: no scripts, no optional packages. A missing one cannot be had. */
const NPM_FLAGS = { scripts: ['--ignore-scripts'], optional: ['--omit=optional'] };

const INSTALLERS = [
  { name: 'npm 11', package: 'npm@11', program: 'npm', add: ['install', '--no-audit', '--no-fund'], flags: NPM_FLAGS },
  { name: 'npm 12', package: 'npm@12', program: 'npm', add: ['install', '--no-audit', '--no-fund'], flags: NPM_FLAGS },
  {
    name: 'pnpm',
    package: 'pnpm@latest',
    program: 'pnpm',
    add: ['add'],
    flags: { scripts: ['--ignore-scripts'], optional: ['--no-optional'] },
  },
  {
    name: 'yarn 4',
    package: '@yarnpkg/cli-dist@4',
    program: 'yarn',
    add: ['add'],
    // Yarn has a setting in place of a flag, and no way to leave out optional packages.
    flags: { scripts: [] },
    settings: { scripts: { YARN_ENABLE_SCRIPTS: 'false' } },
    run: ['run'],
  },
  { name: 'bun', package: 'bun@1', program: 'bun', add: ['add'], flags: NPM_FLAGS },
];

/** Where the linux engine should run, if its package is installed. */
const HAS_LINUX_ENGINE = process.platform === 'linux' && ['x64', 'arm64'].includes(process.arch);

/** The most bytes that the installed packages may have. */
const MOST_INSTALLED = 6 * 1024 * 1024;

/** The bytes of all files below a folder. */
function bytesBelow(path) {
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + statSync(join(entry.parentPath, entry.name)).size, 0);
}

/** The subsets of the two flags. */
const CHOICES = [[], ['scripts'], ['optional'], ['scripts', 'optional']];

/**
 * Installs a tarball with each installer, with each set of flags, in a folder of its own, and runs the command there.
 *
 * @param {object} options
 * @param {string} options.folder an empty folder
 * @param {string} options.tarball
 * @param {object} options.env the environment of the installers
 * @param {(what: string, holds: boolean, found?: string) => void} options.check
 */
export function checkInstallers({ folder, tarball, env, check }) {
  const run = (cwd, more, program, args) => {
    const options = { cwd, env: { ...env, ...more }, encoding: 'utf8', timeout: 300_000 };
    const { status, stdout, stderr, error } = spawnSync(...startOf(program, args), options);
    return { status: error?.code ?? status, said: `${stdout}${stderr}` };
  };
  const registry = run(folder, {}, 'npm', ['config', 'get', 'registry']).said.trim();
  // Yarn does not read the settings of npm.
  const ofYarn = {
    YARN_NPM_REGISTRY_SERVER: registry,
    YARN_UNSAFE_HTTP_WHITELIST: new URL(registry).hostname,
    YARN_ENABLE_TELEMETRY: '0',
    YARN_GLOBAL_FOLDER: join(folder, 'yarn'),
  };
  for (const { name, package: from, program, add, flags, settings = {}, run: runner } of INSTALLERS) {
    const npx = ['--yes', '--loglevel=error', '--package', from, '--', program];
    const found = run(folder, {}, 'npx', [...npx, '--version']);
    if (found.status !== 0) {
      console.log(`skipped: ${name} cannot be had: ${found.said.trim().split('\n').at(-1)}`);
      continue;
    }
    const version = found.said.trim().split('\n').at(-1);
    for (const choice of CHOICES) {
      const what = [`${name} (${version})`, ...choice.map((kind) => `without ${kind}`)].join(' ');
      if (choice.some((kind) => flags[kind] === undefined)) {
        console.log(`skipped: ${what}: ${name} has no such option`);
        continue;
      }
      const user = join(folder, [name, ...choice].join('-').replaceAll(' ', '-'));
      mkdirSync(user);
      writeFileSync(join(user, 'package.json'), '{ "name": "user", "private": true }\n');
      // Without a lock file of its own, Yarn takes the folder for a part of a project above it.
      if (program === 'yarn') writeFileSync(join(user, 'yarn.lock'), '');
      const more = { ...ofYarn, ...Object.assign({}, ...choice.map((kind) => settings[kind])) };
      const args = [...add, ...choice.flatMap((kind) => flags[kind])];
      const { status, said } = run(user, more, 'npx', [
        ...npx,
        ...args,
        program === 'yarn' ? `udpcat@file:${tarball}` : tarball,
      ]);
      check(`${what} installs it`, status === 0, `status ${status}\n${said}`);
      check(`${what} says nothing of scripts`, !/script/i.test(said.replaceAll('--ignore-scripts', '')), said);
      const packages = join(user, 'node_modules');
      if (existsSync(packages)) {
        const bytes = bytesBelow(packages);
        check(`${what}: at most ${MOST_INSTALLED} bytes are installed`, bytes <= MOST_INSTALLED, bytes);
      }
      const echo = ['echo', '127.0.0.1:0', '--duration', '1ms', '-v'];
      const used =
        runner === undefined
          ? run(user, {}, ...startOfInstalled(packages, echo))
          : run(user, more, 'npx', [...npx, ...runner, 'udpcat', ...echo]);
      const engine = HAS_LINUX_ENGINE && !choice.includes('optional') ? 'linux' : 'node';
      check(`${what}: the ${engine} engine is used`, used.said.includes(`the ${engine} engine is used`), used.said);
    }
  }
}
