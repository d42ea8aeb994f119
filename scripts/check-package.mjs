// npm run check:package: packs the package, installs it with every installer, and uses it. It needs a registry.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { root } from './bundle.mjs';
import { checkInstallers } from './check-installers.mjs';
import { startOf, startOfInstalled } from './npm.mjs';
import { stage } from './stage.mjs';

/** The files that the package may have. Any other file fails the check. */
const ALLOWED = [
  /^package\.json$/,
  /^README\.md$/,
  /^LICENSE$/,
  /^dist\/THIRD-PARTY-LICENSES\.txt$/,
  /^dist\/udpcat\.1$/,
  /^dist\/bin\/(udpcat|main|separate|examine)\.cjs$/,
  /^dist\/bin\/vendor\/[\w.@-]+\.cjs$/,
  /^dist\/net\/[\w/-]+\.(js|d\.ts)$/,
];
const REQUIRED = [
  'README.md',
  'LICENSE',
  'dist/bin/udpcat.cjs',
  'dist/bin/main.cjs',
  'dist/bin/separate.cjs',
  'dist/bin/examine.cjs',
  'dist/udpcat.1',
  'dist/net/index.js',
  'dist/net/index.d.ts',
];

/**
 * The most bytes that the tarball may have: 320 KiB for all up to the command watch, and 72 KiB for later parts: the HTTP
 * server, its metrics with prom-client, the relay, its API, and the readers and writers of JSON lines and runs.
 */
const MOST_PACKED = (320 + 72) * 1024;

const folder = mkdtempSync(join(tmpdir(), 'udpcat-package-'));
const user = join(folder, 'user');
const packages = join(user, 'node_modules');
mkdirSync(user);

// The environment of a plain shell, without the settings of npm and the programs of this project.
const env = Object.fromEntries(
  Object.entries(process.env).filter(
    ([name]) => !/^(npm_(?!config_(cache|userconfig))|NODE_(?!EXTRA_CA_CERTS)|INIT_CWD)/i.test(name),
  ),
);
env.PATH = process.env.PATH.split(delimiter)
  .filter((entry) => !entry.includes('node_modules'))
  .join(delimiter);

const run = (program, args, options = {}) =>
  execFileSync(...startOf(program, args), { cwd: user, env, encoding: 'utf8', timeout: 120_000, ...options });

function check(what, holds, found = '') {
  if (!holds) throw new Error(`${what}: ${found}`);
  console.log(`ok: ${what}`);
}

/** Runs the installed command. */
const runInstalled = (args) => run(...startOfInstalled(packages, args));

async function echoesBack() {
  const server = spawn(...startOfInstalled(packages, ['echo', '--count', '1']), {
    cwd: user,
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const timer = setTimeout(() => server.kill('SIGKILL'), 10_000);
  try {
    let said = '';
    server.stderr.setEncoding('utf8').on('data', (text) => (said += text));
    const ended = once(server, 'close');
    let address;
    while (address === undefined) {
      await Promise.race([once(server.stderr, 'data'), ended]);
      address = /listening on (\S+)\n/.exec(said)?.[1];
      if (address === undefined && server.exitCode !== null) throw new Error(`echo did not start: ${said}`);
    }
    const reply = runInstalled(['send', address, 'hello', '--expect', 'hello']);
    check('a datagram comes back', reply === 'hello\n', reply);
    const [status] = await ended;
    check('echo --count 1 ends with 0', status === 0, `${status} ${said}`);
  } finally {
    clearTimeout(timer);
    server.kill('SIGKILL');
  }
}

/** Has a program of the registry judge the tarball. Skips it by name if the program cannot be had. */
function judge(name, args) {
  const npx = ['--yes', '--loglevel=error', '--package', name, '--'];
  try {
    run('npx', [...npx, args[0], '--version']);
  } catch (error) {
    console.log(`skipped: ${name} cannot be had: ${error.message.split('\n', 1).join('')}`);
    return;
  }
  run('npx', [...npx, ...args]);
  check(`${name} finds nothing wrong`, true);
}

try {
  const staged = join(folder, 'package');
  const { version, repository, scripts, devDependencies } = stage(staged);
  check('the manifest has no scripts and no devDependencies', scripts === undefined && devDependencies === undefined);
  if (repository === undefined) console.log('missing: the address of the repository, "repository" in package.json');
  const [{ filename, files, size }] = JSON.parse(
    run('npm', ['pack', staged, '--json', '--loglevel=error', '--pack-destination', folder], { cwd: root }),
  );
  const paths = files.map(({ path }) => path);
  for (const path of paths) console.log(`    ${path}`);
  const strange = paths.filter((path) => !ALLOWED.some((pattern) => pattern.test(path)));
  check('the package has no file too many', strange.length === 0, strange.join(', '));
  const missing = REQUIRED.filter((path) => !paths.includes(path));
  check('the package has every file that it needs', missing.length === 0, missing.join(', '));

  check(`the tarball has at most ${MOST_PACKED} bytes`, size <= MOST_PACKED, size);

  const tarball = join(folder, filename);
  judge('publint', ['publint', 'run', tarball, '--strict']);
  // The module is for import only: Node 20.19 and later can require it all the same.
  judge('@arethetypeswrong/cli', ['attw', tarball, '--profile', 'esm-only']);
  const offline = ['--offline', '--yes', '--loglevel=error'];
  const shown = run('npx', [...offline, '--package', `file:${tarball}`, 'udpcat', '--version']);
  check('npx runs it without a network', shown.trim() === version, shown);

  writeFileSync(join(user, 'package.json'), '{ "name": "user", "private": true, "type": "module" }\n');
  run('npm', ['install', ...offline, '--omit=optional', '--no-audit', '--no-fund', tarball]);
  check('--version names the version', runInstalled(['--version']).trim() === version);
  for (const args of [
    ['--help'],
    ['serve', '--help'],
    ['send', '--help'],
    ['echo', '--help'],
    ['completion', '--help'],
    ['help'],
  ]) {
    check(args.join(' '), runInstalled(args).includes('Usage: udpcat'));
  }
  await echoesBack();

  // npm installs manual pages only with --global, and none on Windows.
  const prefix = join(folder, 'prefix');
  run('npm', ['install', '--global', '--prefix', prefix, ...offline, '--omit=optional', '--no-fund', tarball]);
  if (process.platform !== 'win32') {
    check('npm installs the manual page', existsSync(join(prefix, 'share', 'man', 'man1', 'udpcat.1')));
  }

  const sample = `import { startUdpServer } from 'udpcat';
    const server = await startUdpServer('127.0.0.1:0');
    await server[Symbol.asyncDispose]();
    console.log('closed');`;
  check('the module opens a server', run(process.execPath, ['--input-type=module', '-e', sample]) === 'closed\n');

  writeFileSync(
    join(user, 'sample.ts'),
    `import { startUdpServer } from 'udpcat';
    await using server = await startUdpServer('127.0.0.1:0');
    export const { data, remote }: { data: Uint8Array; remote: { port: number } } = await server.recvfrom();\n`,
  );
  run(
    process.execPath,
    [
      join(root, 'node_modules/typescript/bin/tsc'),
      ...['--noEmit', '--strict', '--target', 'es2023', '--lib', 'es2023,esnext.disposable', '--module', 'nodenext'],
      ...['--types', 'node', '--typeRoots', join(root, 'node_modules/@types'), 'sample.ts'],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  check('its types fit a program that uses it', true);

  const installers = join(folder, 'installers');
  mkdirSync(installers);
  checkInstallers({ folder: installers, tarball, env, check });
} catch (error) {
  console.error(`npm run check:package: ${error.message}\n${error.stdout ?? ''}${error.stderr ?? ''}`);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
