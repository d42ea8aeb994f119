import { describe, expect, test } from '@jest/globals';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { udpcat } from './support/udpcat.js';

/** A folder for temporary files of the test's own, and what the command keeps in it. */
function ownTemporaryFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'udpcat-test-'));
  const kept = join(folder, `udpcat-${process.getuid?.() ?? ''}`);
  return {
    env: { TMPDIR: folder },
    kept,
    files: () => (existsSync(kept) ? readdirSync(kept).map((name) => join(kept, name)) : []),
    [Symbol.dispose]: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const version = (JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string })
  .version;

async function expectVersion(env: Record<string, string>): Promise<void> {
  const { stdout, stderr, status } = await udpcat(['--version'], { env });
  expect({ stdout: stdout.toString(), stderr, status }).toEqual({ stdout: `${version}\n`, stderr: '', status: 0 });
}

describe('the code that is kept between runs', () => {
  test('is written at the end of the first run, for nobody else to read, and used by the next', async () => {
    using temporary = ownTemporaryFolder();
    await expectVersion(temporary.env);
    const [file = ''] = temporary.files();
    expect(temporary.files()).toHaveLength(1);
    expect(statSync(temporary.kept).mode & 0o777).toBe(0o700);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const { mtimeMs, ino } = statSync(file);
    await expectVersion(temporary.env);
    expect(statSync(file)).toMatchObject({ mtimeMs, ino });
  });

  test('is made anew when it was damaged', async () => {
    using temporary = ownTemporaryFolder();
    await expectVersion(temporary.env);
    const [file = ''] = temporary.files();
    const whole = readFileSync(file);
    const damaged = Buffer.from(whole);
    damaged.fill(0xff, damaged.length >> 1, (damaged.length >> 1) + 64);
    for (const bytes of [damaged, whole.subarray(0, 1000), Buffer.alloc(0)]) {
      writeFileSync(file, bytes);
      await expectVersion(temporary.env);
      expect(readFileSync(file).length).toBeGreaterThan(1000);
      expect(readFileSync(file).equals(damaged)).toBe(false);
    }
  });

  test('is neither read nor written in a folder that others can write to', async () => {
    using temporary = ownTemporaryFolder();
    await expectVersion(temporary.env);
    const [file = ''] = temporary.files();
    writeFileSync(file, 'planted');
    chmodSync(temporary.kept, 0o777);
    await expectVersion(temporary.env);
    expect(readFileSync(file, 'utf8')).toBe('planted');
  });

  test('is no condition: without a place for it everything works', async () => {
    using temporary = ownTemporaryFolder();
    const missing = join(temporary.env.TMPDIR, 'missing');
    for (const folder of [missing, '/dev/null/nowhere']) await expectVersion({ TMPDIR: folder });
    expect(existsSync(missing)).toBe(false);
  });

  test('is a file for each command that there is, two for send, and one for all else', async () => {
    using temporary = ownTemporaryFolder();
    const { stdout } = await udpcat(['--help']);
    const commands = [...stdout.toString().matchAll(/^ {2}([a-z]+) {2,}/gm)].map(([, name = '']) => name);
    expect(commands).toContain('send');
    for (const word of [...commands, 'foo', 'bar', '-V', '', 'constructor']) await udpcat([word, '--help'], temporary);
    for (const words of [['-c5'], ['--rate', 'max'], ['--duration=1s']])
      await udpcat(['send', ...words, '--help'], temporary);
    const names = temporary.files().map((file) => basename(file).split('-', 1)[0]);
    expect(names.sort()).toEqual([...commands, 'none', 'sendmany'].sort());
  });

  test('is of the 16 files that were written last, and no other file is touched', async () => {
    using temporary = ownTemporaryFolder();
    mkdirSync(temporary.kept, { mode: 0o700 });
    const others = ['notes.txt', 'send-v20.19.0-x64-1', '.send-v20.19.0-x64-1-1'];
    const versions = Array.from({ length: 40 }, (_, nth) => `send-v22.${nth}.0-x64-482750-1795566896947.2036`);
    const unfinished = 'foo-v23.0.0-nightly20240521b9f5b1d6e1-arm64-482750-1795566896947.4242';
    for (const [nth, name] of [...others, unfinished, ...versions].entries()) {
      writeFileSync(join(temporary.kept, name), '');
      utimesSync(join(temporary.kept, name), nth, nth);
    }
    await expectVersion(temporary.env);
    const names = temporary.files().map((file) => basename(file));
    const [written = ''] = names.filter((name) => name.startsWith('none-'));
    expect(names.sort()).toEqual([...others, written, ...versions.slice(-15)].sort());
  });

  test("is not kept when Node's own switch turns it off", async () => {
    using temporary = ownTemporaryFolder();
    await expectVersion({ ...temporary.env, NODE_DISABLE_COMPILE_CACHE: '1' });
    expect(temporary.files()).toEqual([]);
  });
});
