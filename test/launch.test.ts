import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { testInNamespaces } from './support/namespaces.js';
import { silentServer } from './support/sockets.js';
import { COMMAND, commandLine, quote, shell, udpcat } from './support/udpcat.js';
import { testNeeding } from './support/needs.js';

const testWithShell = testNeeding('shell');

const uid = process.geteuid?.() ?? -1;
/** The id of a user who is neither root nor the user of the tests. */
const STRANGER = 54_321;

/** Whether the tests run as root, and other users can run this Node: its file must lie where they can reach it. */
const isSharedNode = uid === 0 && spawnSync(process.execPath, ['-e', ''], { uid: STRANGER }).status === 0;

/** Declares a test that runs the command as another user. */
function testAsStranger(name: string, run: () => void): void {
  if (isSharedNode) test(name, run);
  else test.skip(`${name} (skipped: it needs root, and a Node that other users may run)`, run);
}

/** Declares a test that makes files of other users. */
function testAsRoot(name: string, run: () => void | Promise<void>): void {
  if (uid === 0) test(name, run);
  else test.skip(`${name} (skipped: it makes files of other users, and so needs root)`, run);
}

const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;
/** The version of another build. It has the length of the real one. */
const otherVersion = version.replaceAll(/\d/g, (digit) => String((Number(digit) + 1) % 10));

/** Returns the paths of all files below a folder. Does not follow links, as `readdir` of some versions of Node does. */
function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : [path];
  });
}

/** Makes a home and a folder for temporary files. With `env` the command has no other place for its compiled code. */
function ownPlaces() {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-test-'));
  const home = join(folder, 'home');
  const temporary = join(folder, 'tmp');
  for (const place of [home, temporary]) mkdirSync(place, { mode: 0o755 });
  const kept = join(home, '.cache', 'udpcat');
  return {
    folder,
    home,
    temporary,
    env: { HOME: home, TMPDIR: temporary, XDG_CACHE_HOME: undefined } as Record<string, string | undefined>,
    /** The folder for compiled code. */
    kept,
    /** The folder for compiled code if the first one cannot be trusted. */
    fallback: join(temporary, `udpcat-${uid}`),
    /** Returns the paths of all kept files below `folder`, relative to it. */
    files: () =>
      filesBelow(folder)
        .map((path) => relative(folder, path))
        .filter((path) => /^[a-z]+-v\d/.test(basename(path)))
        .sort(),
    [Symbol.dispose]: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
type Places = ReturnType<typeof ownPlaces>;

async function expectVersion(env: Record<string, string | undefined>, cwd?: string): Promise<void> {
  const { stdout, stderr, status } = await udpcat(['--version'], { env, ...(cwd !== undefined && { cwd }) });
  expect({ stdout: stdout.toString(), stderr, status }).toEqual({ stdout: `${version}\n`, stderr: '', status: 0 });
}

/** Returns the path of the only file in the folder for compiled code. */
function onlyFileOf({ kept }: Places): string {
  const names = readdirSync(kept);
  expect(names).toHaveLength(1);
  return join(kept, names[0] ?? '');
}

/** Returns values that change when a file is written anew. */
function identity(path: string): object {
  const { ino, mtimeMs, size } = statSync(path);
  return { ino, mtimeMs, size };
}

/** Makes a copy of the command that has the version `says`. All copies have the same size and age. Returns its path. */
function build(folder: string, says: string): string {
  const bin = join(folder, says, 'bin');
  cpSync(dirname(COMMAND), bin, { recursive: true });
  const main = join(bin, 'main.cjs');
  writeFileSync(main, readFileSync(main, 'latin1').replaceAll(`"${version}"`, `"${says}"`), 'latin1');
  utimesSync(main, 1, 1);
  return join(bin, basename(COMMAND));
}

async function versionOf(command: string, env: Record<string, string | undefined>): Promise<string> {
  await using running = shell(`exec ${[process.execPath, command, '--version'].map(quote).join(' ')}`, { env });
  return (await running.outcome).stdout.toString().trim();
}

let foreign: Buffer | undefined;

/** Returns compiled code with another version, as if an attacker had written it. A test sees whether it was run. */
async function foreignCode(): Promise<Buffer> {
  if (foreign !== undefined) return foreign;
  using elsewhere = ownPlaces();
  expect(await versionOf(build(elsewhere.folder, otherVersion), elsewhere.env)).toBe(otherVersion);
  return (foreign = readFileSync(onlyFileOf(elsewhere)));
}

describe('the code that is kept between runs', () => {
  test('is written at the end of the first run, for nobody else to read, and used by the next', async () => {
    using places = ownPlaces();
    await expectVersion(places.env);
    const file = onlyFileOf(places);
    for (const folder of [dirname(places.kept), places.kept]) expect(statSync(folder).mode & 0o777).toBe(0o700);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const before = identity(file);
    await expectVersion(places.env);
    expect(identity(file)).toEqual(before);
    expect(places.files()).toEqual([relative(places.folder, file)]);
  });

  test('is run without another look at the program: the tests of what is trusted would show it', async () => {
    using places = ownPlaces();
    await expectVersion(places.env);
    writeFileSync(onlyFileOf(places), await foreignCode());
    expect(await versionOf(COMMAND, places.env)).toBe(otherVersion);
  });

  test('is made anew when it was damaged', async () => {
    using places = ownPlaces();
    await expectVersion(places.env);
    const file = onlyFileOf(places);
    const whole = readFileSync(file);
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, damaged.length >> 1, (damaged.length >> 1) + 64);
    for (const bytes of [damaged, whole.subarray(0, 1000), Buffer.alloc(4), Buffer.of(1), Buffer.alloc(0)]) {
      writeFileSync(file, bytes);
      await expectVersion(places.env);
      expect(readFileSync(file).length).toBeGreaterThan(1000);
      expect(readFileSync(file).equals(damaged)).toBe(false);
    }
    truncateSync(file, whole.length - 1);
    await expectVersion(places.env);
    expect(onlyFileOf(places)).toBe(file);
  });

  test('is made anew when its halves are equal, but V8 rejects them', async () => {
    using places = ownPlaces();
    await expectVersion(places.env);
    const file = onlyFileOf(places);
    writeFileSync(file, Buffer.alloc(8));
    await expectVersion(places.env);
    expect(readFileSync(file).length).toBeGreaterThan(1000);
  });

  test('is for each command that there is, two for send, and one for all else, of both files of the command', async () => {
    using places = ownPlaces();
    await using server = await silentServer(4);
    const { stdout } = await udpcat(['--help']);
    const commands = [...stdout.toString().matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name = '']) => name);
    const runs: readonly (readonly string[])[] = [
      ['serve', '127.0.0.1:0', '--duration', '1ms'],
      ['echo', '127.0.0.1:0', '--duration', '1ms'],
      ['relay', '127.0.0.1:0', server.address, '--duration', '1ms'],
      ['watch', server.address, '--duration', '1ms'],
      ['completion', 'bash'],
      ['help'],
      ['send', server.address, 'hello'],
      ['send', server.address, 'hello', '-c5'],
      ['send', server.address, 'hello', '--rate', 'max'],
      ['send', server.address, 'hello', '--duration=1ms'],
      ['-V'],
    ];
    for (const words of runs) await udpcat(words, places);
    expect(new Set(runs.map(([word]) => word))).toEqual(new Set([...commands, '-V']));
    const names = readdirSync(places.kept).map((name) => name.split('-', 1)[0]);
    expect(new Set(names)).toEqual(new Set([...commands, 'none', 'sendmany']));
    // A plain send and the version need main.cjs only.
    expect(names).toHaveLength(2 * (commands.length + 2) - 2);
  });

  test('of the help of each command is that of help, and a wrong command line keeps none', async () => {
    using places = ownPlaces();
    for (const words of [['send', '--hlep'], ['serve', 'nonsense:-1'], ['nonsense']])
      expect((await udpcat(words, places)).status).toBe(2);
    expect(places.files()).toEqual([]);
    for (const words of [['send', '-h'], ['serve', '--help'], ['-h'], ['help', 'watch']]) await udpcat(words, places);
    const names = readdirSync(places.kept).map((name) => name.split('-', 1)[0]);
    expect(names).toEqual(['help', 'help']);
  });

  test('is of the 36 files that were written last, and no other file is touched', async () => {
    using places = ownPlaces();
    mkdirSync(places.kept, { recursive: true, mode: 0o700 });
    const others = ['notes.txt', 'send-v20.19.0-x64', 'send-v20.19.0-x64-1', '.send-v20.19.0-x64-0123abcd'];
    const versions = Array.from({ length: 60 }, (_, nth) => `send-v22.${nth}.0-x64-0123abcd`);
    const unfinished = 'foo-v23.0.0-nightly20240521b9f5b1d6e1-arm64-0123abcd.4k2z';
    for (const [nth, name] of [...others, unfinished, ...versions].entries()) {
      writeFileSync(join(places.kept, name), '');
      utimesSync(join(places.kept, name), nth, nth);
    }
    await expectVersion(places.env);
    const names = readdirSync(places.kept);
    const [written = ''] = names.filter((name) => name.startsWith('none-'));
    expect(names.sort()).toEqual([...others, written, ...versions.slice(-35)].sort());
  });

  test("is not kept when Node's own switch turns it off", async () => {
    using places = ownPlaces();
    await expectVersion({ ...places.env, NODE_DISABLE_COMPILE_CACHE: '1' });
    expect(places.files()).toEqual([]);
  });

  test('is of one build: another of the same size and age has its own', async () => {
    using places = ownPlaces();
    const builds = [version, otherVersion].map((says) => ({ says, command: build(places.folder, says) }));
    const [size] = builds.map(({ command }) => statSync(join(dirname(command), 'main.cjs')).size);
    for (const { says, command } of [...builds, ...builds]) {
      expect(statSync(join(dirname(command), 'main.cjs'))).toMatchObject({ size, mtimeMs: 1000 });
      expect(await versionOf(command, places.env)).toBe(says);
    }
    expect(readdirSync(places.kept)).toHaveLength(2);
  });

  test('is not run when the program was changed in its place, although size and age are the same', async () => {
    using places = ownPlaces();
    const command = build(places.folder, version);
    expect(await versionOf(command, places.env)).toBe(version);
    const main = join(dirname(command), 'main.cjs');
    const { ino, size } = statSync(main);
    writeFileSync(main, readFileSync(main, 'latin1').replaceAll(`"${version}"`, `"${otherVersion}"`), 'latin1');
    utimesSync(main, 1, 1);
    expect(statSync(main)).toMatchObject({ ino, size, mtimeMs: 1000 });
    expect(await versionOf(command, places.env)).toBe(otherVersion);
  });

  testWithShell("is of one set of Node's flags: callers with others do not write it anew in turns", async () => {
    using places = ownPlaces();
    const callers: [string[], string | undefined][] = [
      [[], undefined],
      [[], '--max-old-space-size=300'],
      [[], '--max-old-space-size=400'],
      [['--max-old-space-size=300'], undefined],
      [['--stack-size=900'], '--max-old-space-size=300'],
    ];
    const runAll = async (): Promise<object[]> => {
      for (const [flags, options] of callers) {
        const line = [process.execPath, ...flags, COMMAND, '--version'].map(quote).join(' ');
        await using running = shell(`exec ${line}`, { env: { ...places.env, NODE_OPTIONS: options } });
        expect(await running.outcome).toMatchObject({ status: 0, stderr: '' });
      }
      return readdirSync(places.kept).map((name) => ({ name, ...identity(join(places.kept, name)) }));
    };
    const first = await runAll();
    expect(first).toHaveLength(callers.length);
    expect(await runAll()).toEqual(first);
  });

  test('is whole, and one file, when several runs write it at once', async () => {
    using places = ownPlaces();
    await Promise.all(Array.from({ length: 8 }, () => expectVersion(places.env)));
    const file = onlyFileOf(places);
    expect(places.files()).toHaveLength(1);
    const before = identity(file);
    await expectVersion(places.env);
    expect(identity(file)).toEqual(before);
  });
});

describe('the place of the code that is kept', () => {
  test('is $XDG_CACHE_HOME, which is made if only it is missing', async () => {
    using places = ownPlaces();
    const caches = join(places.folder, 'caches');
    await expectVersion({ ...places.env, XDG_CACHE_HOME: caches });
    expect(places.files()).toEqual([expect.stringMatching(/^caches\/udpcat\/none-/)]);
    expect(statSync(caches).mode & 0o777).toBe(0o700);
    const deep = join(places.folder, 'missing', 'caches');
    await expectVersion({ ...places.env, XDG_CACHE_HOME: deep });
    expect(existsSync(dirname(deep))).toBe(false);
    expect(places.files()).toContainEqual(expect.stringMatching(/^home\/\.cache\/udpcat\/none-/));
  });

  test.each(['cache', './cache', '../home', ''])('is no $XDG_CACHE_HOME that is relative: "%s"', async (caches) => {
    using places = ownPlaces();
    const cwd = join(places.folder, 'here');
    mkdirSync(join(cwd, 'cache'), { recursive: true });
    await expectVersion({ ...places.env, XDG_CACHE_HOME: caches }, cwd);
    expect(places.files()).toEqual([expect.stringMatching(/^home\/\.cache\/udpcat\/none-/)]);
  });

  test.each([undefined, '', 'home', '/dev/null'])(
    'is the folder for temporary files when $HOME is no folder: %s',
    async (home) => {
      using places = ownPlaces();
      await expectVersion({ ...places.env, HOME: home }, places.folder);
      expect(places.files()).toEqual([expect.stringMatching(`^tmp/udpcat-${uid}/none-`)]);
      const [before] = places.files();
      const { ino } = statSync(join(places.folder, before ?? ''));
      await expectVersion({ ...places.env, HOME: home }, places.folder);
      expect(statSync(join(places.folder, before ?? '')).ino).toBe(ino);
    },
  );

  test('is no condition: without one everything works, and nothing is made', async () => {
    using places = ownPlaces();
    const missing = join(places.folder, 'missing');
    for (const nowhere of [missing, '/dev/null/nowhere', 'home'])
      await expectVersion({ HOME: nowhere, XDG_CACHE_HOME: undefined, TMPDIR: nowhere }, places.folder);
    expect(readdirSync(places.folder).sort()).toEqual(['home', 'tmp']);
    expect(places.files()).toEqual([]);
  });

  test('is another when it is a file', async () => {
    using places = ownPlaces();
    mkdirSync(dirname(places.kept), { mode: 0o700 });
    writeFileSync(places.kept, 'mine');
    await expectVersion(places.env);
    expect(readFileSync(places.kept, 'utf8')).toBe('mine');
    expect(places.files()).toEqual([expect.stringMatching(`^tmp/udpcat-${uid}/none-`)]);
  });

  test('is reached by links of the user in folders of the user', async () => {
    using places = ownPlaces();
    const disk = join(places.folder, 'disk');
    mkdirSync(join(disk, 'caches'), { recursive: true, mode: 0o700 });
    symlinkSync('../disk/caches', join(places.home, '.cache'));
    symlinkSync(places.home, join(places.folder, 'link'));
    const env = { ...places.env, HOME: join(places.folder, 'link') };
    await expectVersion(env);
    const [file = ''] = places.files();
    expect(file).toMatch(/^disk\/caches\/udpcat\/none-/);
    const before = identity(join(places.folder, file));
    await expectVersion(env);
    expect(identity(join(places.folder, file))).toEqual(before);
    expect(places.files()).toEqual([file]);
  });

  test('is none that a circle of links leads to', async () => {
    using places = ownPlaces();
    symlinkSync('.cache', join(places.home, '.cache'));
    await expectVersion(places.env);
    expect(places.files()).toEqual([expect.stringMatching(`^tmp/udpcat-${uid}/none-`)]);
  });

  testInNamespaces('is another when it is read-only, and none when all are', async () => {
    using places = ownPlaces();
    const { home, temporary } = places;
    for (const [folders, count] of [
      [[home], 1],
      [[home, temporary], 0],
    ] as const) {
      rmSync(places.fallback, { recursive: true, force: true });
      const mounts = folders.map((folder) => `mount -t tmpfs -o ro,mode=755 none ${quote(folder)}`);
      const line = [...mounts, commandLine(['--version'])].join(' && ');
      await using running = shell(`exec unshare --mount sh -c ${quote(line)}`, { env: places.env });
      expect(await running.outcome).toMatchObject({ status: 0, stderr: '' });
      expect(places.files()).toHaveLength(count);
    }
  });

  testInNamespaces('is another when its disk is full, and nothing unfinished stays', async () => {
    using places = ownPlaces();
    const line = [
      `mount -t tmpfs -o size=64k,mode=755 none ${quote(places.home)}`,
      commandLine(['--version']),
      `find ${quote(places.home)} -type f`,
    ].join(' && ');
    await using running = shell(`exec unshare --mount sh -c ${quote(line)}`, { env: places.env });
    expect((await running.outcome).stdout.toString()).toBe(`${version}\n`);
    expect(places.files()).toEqual([expect.stringMatching(`^tmp/udpcat-${uid}/none-`)]);
  });
});

describe('code that somebody else could have changed is neither run nor written', () => {
  /** Puts foreign code into a place and spoils the place. Expects that the code is neither run nor changed. */
  async function expectUntrusted(spoil: (places: Places) => void, env: Record<string, string | undefined> = {}) {
    using places = ownPlaces();
    await expectVersion({ ...places.env, ...env });
    const [written = ''] = places.files();
    const file = join(places.folder, written);
    const foreign = await foreignCode();
    writeFileSync(file, foreign);
    spoil(places);
    const before = places.files();
    for (let run = 0; run < 2; run += 1) await expectVersion({ ...places.env, ...env });
    const after = places.files().filter((path) => !before.includes(path));
    expect(after.filter((path) => !path.startsWith(`tmp/udpcat-${uid}/`))).toEqual([]);
    for (const path of before) expect(readFileSync(join(places.folder, path)).equals(foreign)).toBe(true);
  }

  test.each(['777', '770', '755', '750', '701', '720', '1777'])('in a folder of mode %s', async (mode) => {
    await expectUntrusted(({ kept }) => chmodSync(kept, mode));
  });

  test.each(['777', '775', '757', '770', '722'])('below a folder of mode %s', async (mode) => {
    await expectUntrusted(({ kept }) => chmodSync(dirname(kept), mode));
    await expectUntrusted(({ home }) => chmodSync(home, mode));
    await expectUntrusted(({ temporary }) => chmodSync(temporary, mode), { HOME: undefined });
  });

  testAsRoot("below a sticky folder that is not root's, unlike one of root's", async () => {
    await expectUntrusted(
      ({ temporary }) => {
        chownSync(temporary, STRANGER, STRANGER);
        chmodSync(temporary, 0o1777);
      },
      { HOME: undefined },
    );
    using places = ownPlaces();
    chmodSync(places.temporary, 0o1777);
    await expectVersion({ ...places.env, HOME: undefined });
    expect(places.files()).toHaveLength(1);
  });

  testAsRoot('in a folder of another user, or below one, as of whom root is by sudo', async () => {
    for (const pick of [
      ({ kept }: Places) => kept,
      ({ kept }: Places) => dirname(kept),
      ({ home }: Places) => home,
      ({ folder }: Places) => folder,
    ])
      await expectUntrusted((places) => chownSync(pick(places), STRANGER, STRANGER));
  });

  testAsRoot('nor is a folder made for it where others can write, or which is of another user', async () => {
    for (const spoil of [
      (folder: string) => chmodSync(folder, 0o777),
      (folder: string) => chmodSync(folder, 0o775),
      (folder: string) => chownSync(folder, STRANGER, STRANGER),
    ]) {
      using places = ownPlaces();
      for (const folder of [places.home, places.temporary]) spoil(folder);
      await expectVersion(places.env);
      await expectVersion({ ...places.env, XDG_CACHE_HOME: places.home });
      expect(readdirSync(places.folder, { recursive: true }).sort()).toEqual(['home', 'tmp']);
    }
  });

  describe('by a user who is not root', () => {
    /** Runs a copy of the command, which every user can read, as the given user. */
    function runAs(user: number, { folder, home, temporary }: Places): void {
      chmodSync(folder, 0o755);
      const bin = join(folder, 'bin');
      if (!existsSync(bin)) cpSync(dirname(COMMAND), bin, { recursive: true });
      const { stdout, stderr } = spawnSync(process.execPath, [join(bin, basename(COMMAND)), '--version'], {
        uid: user,
        gid: user,
        env: { PATH: process.env.PATH, HOME: home, TMPDIR: temporary },
        encoding: 'utf8',
      });
      expect({ stdout, stderr }).toEqual({ stdout: `${version}\n`, stderr: '' });
    }

    testAsStranger(
      "in the folder of whoever came first: each has another of one's own below a sticky one of root's",
      () => {
        using places = ownPlaces();
        const caches = dirname(places.kept);
        mkdirSync(caches);
        for (const folder of [caches, places.temporary]) chmodSync(folder, 0o1777);
        for (const user of [0, STRANGER, STRANGER + 1, 0, STRANGER]) runAs(user, places);
        const owners = places.files().map((path) => [dirname(path), statSync(join(places.folder, path)).uid]);
        expect(owners).toEqual([
          ['home/.cache/udpcat', 0],
          [`tmp/udpcat-${STRANGER}`, STRANGER],
          [`tmp/udpcat-${STRANGER + 1}`, STRANGER + 1],
        ]);
      },
    );

    testAsStranger("below a sticky folder of one's own, in which others can make files as well", () => {
      using places = ownPlaces();
      for (const folder of [places.home, places.temporary]) {
        chownSync(folder, STRANGER, STRANGER);
        chmodSync(folder, 0o1777);
      }
      runAs(STRANGER, places);
      expect(places.files()).toEqual([]);
      for (const folder of [places.home, places.temporary]) chmodSync(folder, 0o755);
      runAs(STRANGER, places);
      expect(places.files()).toEqual([expect.stringMatching(/^home\/\.cache\/udpcat\/none-/)]);
    });
  });

  testAsRoot('in a folder that is named as ours, but another user made first', async () => {
    using places = ownPlaces();
    chmodSync(places.temporary, 0o1777);
    mkdirSync(places.fallback, { mode: 0o700 });
    chownSync(places.fallback, STRANGER, STRANGER);
    await expectVersion({ ...places.env, HOME: undefined });
    expect(places.files()).toEqual([]);
  });

  test('in a folder that is a link, wherever it leads', async () => {
    await expectUntrusted(({ folder, kept }) => {
      renameSync(kept, join(folder, 'elsewhere'));
      symlinkSync(join(folder, 'elsewhere'), kept);
    });
    await expectUntrusted(
      ({ folder, fallback }) => {
        renameSync(fallback, join(folder, 'elsewhere'));
        symlinkSync(join(folder, 'elsewhere'), fallback);
      },
      { HOME: undefined },
    );
  });

  testAsRoot("below a link of another user's to a folder of one's own", async () => {
    await expectUntrusted(({ folder, home }) => {
      renameSync(join(home, '.cache'), join(folder, 'elsewhere'));
      symlinkSync(join(folder, 'elsewhere'), join(home, '.cache'));
      // -h changes the owner of the link itself. Node's chown would follow the link.
      expect(spawnSync('chown', ['-h', String(STRANGER), join(home, '.cache')]).status).toBe(0);
    });
  });

  test('below a link in a folder that others can write to', async () => {
    await expectUntrusted(({ folder, home, temporary }) => {
      renameSync(home, join(temporary, 'real'));
      chmodSync(temporary, 0o755);
      mkdirSync(join(folder, 'shared'));
      symlinkSync(join(temporary, 'real'), join(folder, 'shared', 'home'));
      chmodSync(join(folder, 'shared'), 0o777);
      symlinkSync(join(folder, 'shared', 'home'), home);
    });
  });

  /** Puts foreign code into the kept file and spoils the file. Expects that the command replaces the file. */
  async function expectReplaced(spoil: (file: string, places: Places) => void): Promise<void> {
    using places = ownPlaces();
    await expectVersion(places.env);
    const file = onlyFileOf(places);
    writeFileSync(file, await foreignCode());
    spoil(file, places);
    await expectVersion(places.env);
    expect(lstatSync(file).isFile()).toBe(true);
    expect(statSync(file)).toMatchObject({ uid, nlink: 1, mode: 0o100600 });
    const before = identity(file);
    await expectVersion(places.env);
    expect(identity(file)).toEqual(before);
  }

  test('in a file that is a link: the file that it names stays as it is', async () => {
    let target = '';
    await expectReplaced((file, { folder }) => {
      target = join(folder, 'target');
      renameSync(file, target);
      symlinkSync(target, file);
    });
    using places = ownPlaces();
    await expectVersion(places.env);
    const file = onlyFileOf(places);
    const precious = join(places.folder, 'precious');
    writeFileSync(precious, 'precious');
    rmSync(file);
    symlinkSync(precious, file);
    await expectVersion(places.env);
    expect(readFileSync(precious, 'utf8')).toBe('precious');
    // A link to a missing file: the command must not make that file.
    rmSync(file);
    symlinkSync(join(places.folder, 'new'), file);
    await expectVersion(places.env);
    expect(existsSync(join(places.folder, 'new'))).toBe(false);
  });

  test('in a file that has another name: what stands there stays as it is', async () => {
    using places = ownPlaces();
    await expectVersion(places.env);
    const file = onlyFileOf(places);
    const foreign = await foreignCode();
    const other = join(places.folder, 'other');
    writeFileSync(file, foreign);
    linkSync(file, other);
    await expectVersion(places.env);
    expect(readFileSync(other).equals(foreign)).toBe(true);
    expect(statSync(other).ino).not.toBe(statSync(file).ino);
    await expectReplaced((path, { folder }) => linkSync(path, join(folder, 'other')));
  });

  test.each(['666', '660', '620', '644', '700'])('in a file of mode %s', async (mode) => {
    await expectReplaced((file) => chmodSync(file, mode));
  });

  testAsRoot('in a file of another user', async () => {
    await expectReplaced((file) => chownSync(file, STRANGER, STRANGER));
  });

  test('in what is no file: a FIFO, at which reading would wait for ever', async () => {
    await expectReplaced((file) => {
      rmSync(file);
      expect(spawnSync('mkfifo', [file]).status).toBe(0);
    });
  });

  test('in a folder in place of the file: it stays, and nothing is written beside it', async () => {
    using places = ownPlaces();
    await expectVersion(places.env);
    const file = onlyFileOf(places);
    rmSync(file);
    mkdirSync(file);
    await expectVersion(places.env);
    expect(readdirSync(places.kept)).toEqual([basename(file)]);
    expect(places.files()).toEqual([expect.stringMatching(`^tmp/udpcat-${uid}/none-`)]);
  });

  /** Returns an environment in which a module with this code is loaded before the command. */
  function preloading(places: Places, code: string): Record<string, string | undefined> {
    const path = join(places.folder, 'preload.cjs');
    writeFileSync(path, code);
    return { ...places.env, NODE_OPTIONS: `--require=${path}` };
  }

  (process.platform === 'linux' ? test : test.skip)(
    'in a folder that takes the name of the checked one as soon as that is opened',
    async () => {
      using places = ownPlaces();
      const [kept, aside, foreign] = [places.kept, join(places.folder, 'aside'), join(places.folder, 'foreign')];
      const env = preloading(
        places,
        `const fs = require('node:fs');
        const open = fs.openSync;
        fs.openSync = (path, ...rest) => {
          const fd = open(path, ...rest);
          if (process.env.SWAP && path === ${JSON.stringify(kept)}) {
            fs.renameSync(path, ${JSON.stringify(aside)});
            fs.renameSync(${JSON.stringify(foreign)}, path);
          }
          return fd;
        };`,
      );
      await expectVersion(env);
      const name = basename(onlyFileOf(places));
      const before = identity(join(kept, name));
      mkdirSync(foreign, { mode: 0o700 });
      writeFileSync(join(foreign, name), await foreignCode(), { mode: 0o600 });
      const { stdout } = await udpcat(['--version'], { env: { ...env, SWAP: '1' } });
      expect(stdout.toString()).toBe(`${version}\n`);
      expect(existsSync(foreign)).toBe(false);
      expect(identity(join(aside, name))).toEqual(before);
    },
  );

  test('where there is no /proc, either: it is kept and checked by path', async () => {
    using places = ownPlaces();
    const env = preloading(places, `Object.defineProperty(process, 'platform', { value: 'freebsd' });`);
    await expectVersion(env);
    const file = onlyFileOf(places);
    const before = identity(file);
    await expectVersion(env);
    expect(identity(file)).toEqual(before);
    writeFileSync(file, await foreignCode());
    expect(await versionOf(COMMAND, env)).toBe(otherVersion);
    chmodSync(places.home, 0o777);
    expect(await versionOf(COMMAND, env)).toBe(version);
    expect(readFileSync(file).equals(await foreignCode())).toBe(true);
  });
});
