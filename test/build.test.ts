/** The build, in copies of the repository: an interrupted one leaves the old dist whole. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { HANG_MS } from './support/limits.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const copy = mkdtempSync(join(tmpdir(), 'udpcat-build-'));
const dist = join(copy, 'dist');
const packages = join(copy, 'node_modules');

const BUILDING = 'udpcat: building dist, which takes some seconds\n';

beforeAll(async () => {
  for (const name of readdirSync(root)) {
    if (['node_modules', 'coverage', '.git'].includes(name) || name.startsWith('dist')) continue;
    cpSync(join(root, name), join(copy, name), { recursive: true });
  }
  linkPackages();
  checkLess();
  expect(await build()).toEqual({ status: 0, stderr: BUILDING });
});

afterAll(() => {
  rmSync(copy, { recursive: true, force: true });
});

/** The only module of which the builds in the copy check the types. */
const CHECKED = 'src/net/small/index.ts';

/** Takes most time from the builds: the compiler then reads one small module, and not the types of Node. */
function checkLess(): void {
  mkdirSync(join(copy, dirname(CHECKED)));
  writeFileSync(join(copy, CHECKED), 'export const small = 1;\n');
  const path = join(copy, 'tsconfig.net.json');
  const config = readFileSync(path, 'utf8')
    .replace('"rootDir": "src/net"', '"rootDir": "src/net/small", "lib": ["ES5"], "types": []')
    .replace('"include": ["src/net"]', '"include": ["src/net/small"]');
  expect(config.match(/small/g)).toHaveLength(2);
  writeFileSync(path, config);
}

function linkPackages(): void {
  symlinkSync(join(root, 'node_modules'), packages);
}

/** Starts a program in the copy, in a process group of its own, as a shell at a terminal does. */
function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(npm_|NODE_|INIT_CWD)/.test(name));
  const child = spawn(program, args, {
    cwd: copy,
    env: { ...Object.fromEntries(inherited), ...env },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: HANG_MS,
    killSignal: 'SIGKILL',
  });
  const ended = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)]).then(
    ([[status], stdout, stderr]) => ({ status: status as number | null, stdout, stderr }),
  );
  return { child, ended };
}

function start(env: Readonly<Record<string, string>> = {}) {
  return run(process.execPath, ['scripts/build.mjs', '--if-changed'], env);
}

async function build(env: Readonly<Record<string, string>> = {}) {
  const { status, stderr } = await start(env).ended;
  return { status, stderr };
}

/** Makes dist out of date. */
function change(): void {
  appendFileSync(join(copy, CHECKED), '// A change.\n');
}

/** The names and contents of all files of dist, as one checksum. */
function stateOfDist(): string {
  const hash = createHash('sha256');
  for (const name of readdirSync(dist, { recursive: true }).map(String).sort()) {
    const path = join(dist, name);
    hash.update(`${name}\0`);
    if (statSync(path).isFile()) hash.update(readFileSync(path));
  }
  return hash.digest('hex');
}

/** The folders of builds that have not ended. */
function unfinished(): string[] {
  return readdirSync(copy).filter((name) => /^dist./.test(name));
}

/** The number of a process that has ended. */
async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'close');
  return child.pid!;
}

/** Expects that a build begins, and ends it there. */
async function expectBuilding(): Promise<void> {
  const { child, ended } = start();
  await once(child.stderr, 'data');
  child.kill('SIGKILL');
  expect((await ended).stderr).toBe(BUILDING);
}

async function expectCurrent(): Promise<void> {
  // Without its packages it cannot build, and without a need to build it does not load them.
  unlinkSync(packages);
  try {
    expect(await build()).toEqual({ status: 0, stderr: '' });
  } finally {
    linkPackages();
  }
}

describe('npm run prepare', () => {
  test('is the build that begins with a look at dist', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      scripts: { prepare: string };
    };
    expect(scripts.prepare).toBe('node scripts/build.mjs --if-changed');
  });

  test('does nothing where dist is current, and loads no package', async () => {
    const { ino } = statSync(dist);
    await expectCurrent();
    expect(statSync(dist).ino).toBe(ino);
  });

  test.each(['test/new.test.ts', 'bench/new.mjs', 'CHANGELOG.md', 'LICENSE'])(
    'does nothing for a change of %s',
    async (path) => {
      appendFileSync(join(copy, path), '\n');
      await expectCurrent();
    },
  );

  test('builds again for a file of dist that is missing, damaged or strange', async () => {
    const page = join(dist, 'udpcat.1');
    const whole = readFileSync(page);
    for (const harm of [() => rmSync(page), () => writeFileSync(page, ''), () => writeFileSync(`${page}.new`, '')]) {
      harm();
      await expectBuilding();
      rmSync(`${page}.new`, { force: true });
      writeFileSync(page, whole);
    }
    await expectCurrent();
  });

  test.each([
    ...['src/run/plan.ts', 'bin/main.ts', 'scripts/licences.mjs', 'README.md', 'docs/code.md'],
    ...['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.net.json'],
  ])('builds for a change of %s', async (path) => {
    const file = join(copy, path);
    const before = readFileSync(file);
    appendFileSync(file, '\n');
    await expectBuilding();
    writeFileSync(file, before);
    await expectCurrent();
  });
});

describe('a build that is interrupted', () => {
  test.each([
    { signal: 'SIGINT', file: 'net/index.js' },
    { signal: 'SIGKILL', file: 'bin/main.cjs' },
    { signal: 'SIGINT', file: 'udpcat.1' },
    { signal: 'SIGKILL', file: '.checksums' },
  ] as const)('by $signal when dist.new/$file appears leaves dist whole', async ({ signal, file }) => {
    const before = stateOfDist();
    change();
    const { child, ended } = start();
    const path = join(copy, `dist.new-${child.pid}`, file);
    while (!existsSync(path) && child.exitCode === null) await setTimeout(1);
    if (child.exitCode === null) process.kill(-child.pid!, signal);
    await ended;
    // The folder may have become dist before the signal came.
    if (stateOfDist() !== before) await expectCurrent();
  });

  test('at its begin leaves dist whole, and nothing behind after the next two, which run at once and both succeed', async () => {
    const before = stateOfDist();
    change();
    const { child, ended } = start();
    while (unfinished().length === 0) await setTimeout(1);
    child.kill('SIGKILL');
    await ended;
    expect(unfinished()).toHaveLength(1);
    expect(stateOfDist()).toBe(before);
    const both = { status: 0, stderr: BUILDING };
    expect(await Promise.all([build(), build()])).toEqual([both, both]);
    expect(unfinished()).toEqual([]);
    await expectCurrent();
  });

  test('between its two renames has its dist put back by the next', async () => {
    const before = stateOfDist();
    const pid = await endedProcess();
    renameSync(dist, join(copy, `dist.old-${pid}`));
    mkdirSync(join(copy, `dist.new-${pid}`));
    await expectCurrent();
    expect(stateOfDist()).toBe(before);
    expect(unfinished()).toEqual([]);
  });
});

describe('npx udpcat in a clone without a current dist', () => {
  const NPX = { npm_command: 'exec', npm_lifecycle_event: 'prepare' };
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };

  test('builds when the command starts', async () => {
    change();
    unlinkSync(packages);
    expect(await build(NPX)).toEqual({ status: 0, stderr: '' });
    linkPackages();
    const command = [join(dist, 'bin/udpcat.cjs'), '--version'];
    const interrupted = run(process.execPath, command);
    while (unfinished().length === 0) await setTimeout(1);
    process.kill(-interrupted.child.pid!, 'SIGINT');
    await interrupted.ended;
    expect(await run(process.execPath, command).ended).toEqual({ status: 0, stdout: `${version}\n`, stderr: BUILDING });
    expect(await run(process.execPath, command).ended).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    expect(unfinished()).toEqual([]);
    await expectCurrent();
  });

  test('says what is wrong with the sources, and runs nothing', async () => {
    const file = join(copy, CHECKED);
    const source = readFileSync(file);
    const command = join(dist, 'bin/udpcat.cjs');
    const built = readFileSync(command);
    appendFileSync(file, 'export const wrong: string = 5;\n');
    expect(await build(NPX)).toEqual({ status: 0, stderr: '' });
    const { status, stdout, stderr } = await run(process.execPath, [command, '--version']).ended;
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
    expect(stderr).toContain(CHECKED);
    writeFileSync(file, source);
    writeFileSync(command, built);
    await expectCurrent();
  });

  test('can be interrupted where dist is missing, and works the next time', async () => {
    rmSync(dist, { recursive: true });
    const folder = mkdtempSync(join(tmpdir(), 'udpcat-npm-'));
    const env = { npm_config_cache: folder, npm_config_update_notifier: 'false', npm_config_audit: 'false' };
    const npx = () => run('npx', ['--offline', 'udpcat', '--version'], env);
    const interrupted = npx();
    while (unfinished().length === 0 && interrupted.child.exitCode === null) await setTimeout(1);
    process.kill(-interrupted.child.pid!, 'SIGINT');
    expect((await interrupted.ended).stdout).toBe('');
    expect(await npx().ended).toEqual({ status: 0, stdout: `${version}\n`, stderr: BUILDING });
    expect(await npx().ended).toEqual({ status: 0, stdout: `${version}\n`, stderr: '' });
    rmSync(folder, { recursive: true, force: true });
    expect(unfinished()).toEqual([]);
    await expectCurrent();
  });
});

test('the folder of a build that still runs is left alone', async () => {
  const folder = `dist.new-${process.pid}`;
  mkdirSync(join(copy, folder));
  await expectCurrent();
  expect(unfinished()).toEqual([folder]);
  rmSync(join(copy, folder), { recursive: true });
});

test.each([
  { what: 'the types', path: CHECKED, code: 'export const wrong: string = 5;' },
  { what: 'the bundle', path: 'bin/main.ts', code: "import './no-such-file.js';" },
])('a build that finds an error in $what has status 1, and leaves dist as it is', async ({ path, code }) => {
  const before = stateOfDist();
  const file = join(copy, path);
  const source = readFileSync(file);
  appendFileSync(file, `\n${code}\n`);
  const { status, stderr } = await build();
  writeFileSync(file, source);
  expect(status).toBe(1);
  expect(stderr).toContain(path);
  expect(stateOfDist()).toBe(before);
  expect(unfinished()).toEqual([]);
  await expectCurrent();
});
