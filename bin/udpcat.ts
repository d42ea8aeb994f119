// First of all: whatever comes before it can be killed by them.
import './ignore-signals.js';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';
import { COMMAND_NAMES } from '../src/commands/names.js';

/**
 * Starts `main.cjs`. What V8 compiled of it at the last run is kept in a folder of the user's own under the folder for
 * temporary files, because to compile it takes longer than everything else that a one-shot `send` does. Nothing depends
 * on it: where it cannot be kept, read or trusted, the command is compiled anew. `NODE_DISABLE_COMPILE_CACHE=1`, Node's
 * own switch, turns it off.
 */
function launch(): void {
  const file = join(__dirname, 'main.cjs');
  const cache = cachePath(file);
  const cachedData = cache && readCache(cache);
  const source = `(function (require, __dirname) {\n${readFileSync(file, 'latin1')}\n})`;
  const script = new Script(source, { filename: file, lineOffset: -1, ...(cachedData && { cachedData }) });
  if (cache !== undefined && script.cachedDataRejected !== false) {
    // At the end, because only then it holds the functions that were called.
    process.once('exit', () => {
      writeCache(cache, script);
    });
  }
  const main = script.runInThisContext() as (require: NodeJS.Require, directory: string) => void;
  main(require, __dirname);
}

/** Options with which `send` sends more than once, and mostly with the linux engine. */
const REPEATING = /^(-c|--(count|interval|duration|rate|replay))/;

/**
 * Where the code is kept: for this build, this Node, and the command, as each calls other functions; a one-shot `send`
 * calls few that a flood does, and is not to pay for them. Whatever is no command has one place in common.
 */
function cachePath(file: string): string | undefined {
  const { getuid, env, version, arch, argv } = process;
  if (getuid === undefined || env.NODE_DISABLE_COMPILE_CACHE === '1') return undefined;
  const { size, mtimeMs } = statSync(file);
  const command = COMMAND_NAMES.find((name) => name === argv[2]) ?? 'none';
  const kind = command === 'send' && argv.some((word) => REPEATING.test(word)) ? 'sendmany' : command;
  const folder = join(tmpdir(), `udpcat-${getuid()}`);
  return join(folder, [kind, version, arch, size, mtimeMs].join('-'));
}

/** Whether nobody else can have written what lies in the folder. */
function isOwn(folder: string): boolean {
  const { uid, mode } = lstatSync(folder);
  return uid === process.getuid?.() && (mode & 0o170777) === 0o040700;
}

const CHECKSUM_BYTES = 4;

/** Files that are kept, of all builds together: those of three, and one. */
const MOST_KEPT = 16;
/** A name that {@link cachePath} makes, of this build or another, also while the file is written. */
const OWN_NAME = /^[a-z]{1,16}-v\d+\.\d+\.\d+[\w.+-]*-[a-z0-9]+-\d+-\d+(\.\d+)*$/;
/** Files that are looked at each time. */
const MOST_LOOKED_AT = 1024;

/** The code that was kept, unless it is damaged: V8 itself would not notice. */
function readCache(path: string): Buffer | undefined {
  try {
    if (!isOwn(dirname(path))) return undefined;
    const kept = readFileSync(path);
    const code = kept.subarray(CHECKSUM_BYTES);
    return kept.readUInt32BE() === crc32(code) ? code : undefined;
  } catch {
    return undefined;
  }
}

function writeCache(path: string, script: Script): void {
  const unfinished = `${path}.${process.pid}`;
  try {
    const folder = dirname(path);
    if (!existsSync(folder)) mkdirSync(folder, { mode: 0o700 });
    if (!isOwn(folder)) return;
    const code = script.createCachedData();
    const checksum = Buffer.alloc(CHECKSUM_BYTES);
    checksum.writeUInt32BE(crc32(code));
    writeFileSync(unfinished, Buffer.concat([checksum, code]), { mode: 0o600 });
    renameSync(unfinished, path);
    discardOldest(folder, basename(path));
  } catch {
    // A full or read-only disk is no reason to fail.
    discard(unfinished);
  }
}

/** Discards what was written longest ago, so that builds which nobody uses any more leave nothing for good. */
function discardOldest(folder: string, justWritten: string): void {
  const others = readdirSync(folder).filter((name) => name !== justWritten && OWN_NAME.test(name));
  if (others.length < MOST_KEPT) return;
  const dated = others.slice(0, MOST_LOOKED_AT).map((name) => {
    const path = join(folder, name);
    return { path, mtimeMs: lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 };
  });
  dated.sort((a, b) => b.mtimeMs - a.mtimeMs);
  for (const { path } of dated.slice(MOST_KEPT - 1)) discard(path);
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // Nor is this.
  }
}

try {
  launch();
} catch (error) {
  // Such as too few descriptors to read a file. Nagios takes 1 for a warning, and 3 for what it does not know.
  process.stderr.write(`udpcat: cannot start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = process.argv.some((word) => /^(--exit-code=)?nagios$/.test(word)) ? 3 : 1;
}
