/**
 * Keeps compiled code between runs, in a folder that only this user and root can change. Compiled code is run without
 * any further check: if another user could write it, that user could run anything as this one.
 */
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  type Stats,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, isAbsolute, join, resolve } from 'node:path';
import { crc32 } from 'node:zlib';

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, S_IFMT, S_IFDIR, S_IFREG } = constants;

/** Kind and permission bits. The others are inherited from a folder above, such as `setgid`. */
const KIND_AND_PERMISSIONS = S_IFMT | 0o777;
const OWN_FOLDER = S_IFDIR | 0o700;
const OWN_FILE = S_IFREG | 0o600;
const WRITABLE_BY_OTHERS = 0o022;
/** In a folder with this bit, nobody but its owner can remove or rename the files of another user. */
const STICKY = 0o1000;

/** Symbolic links that are followed one after the other, before a loop is assumed. */
const MOST_LINKS = 8;

/** Files that are kept, of all builds together: those of three, and one. */
const MOST_KEPT = 16;
/** The name of a kept file, of this build or another, and of one that is still being written. */
const OWN_NAME = /^[a-z]{1,16}-v\d+\.\d+\.\d+[\w.+-]*-[a-z0-9]+-[\da-f]{8}(\.[\da-z]+)?$/;
/** Files whose age is looked at when one is written. */
const MOST_LOOKED_AT = 1024;

const CHECKSUM_BYTES = 4;

/**
 * The name under which the code compiled of a program is kept: it differs with the content of the program, with Node,
 * and with Node's flags, because V8 rejects code that was compiled with others.
 *
 * @param kind Tells apart what is kept of one program; lower-case letters, at most 16.
 * @returns `undefined` where no code is kept: on Windows, and with `NODE_DISABLE_COMPILE_CACHE=1`.
 */
export function nameOf(kind: string, program: Buffer): string | undefined {
  const { geteuid, env, execArgv, version, arch } = process;
  if (geteuid === undefined || env.NODE_DISABLE_COMPILE_CACHE === '1') return undefined;
  const flags = [env.NODE_OPTIONS, ...execArgv].join('\0');
  const checksum = crc32(flags, crc32(program)).toString(16).padStart(8, '0');
  return [kind, version, arch, checksum].join('-');
}

/** Gives the code that was kept under a name; `undefined` if there is none that is whole and can be trusted. */
export function readKept(name: string): Buffer | undefined {
  for (const place of places()) {
    try {
      const code = inFolder(place, (folder) => readCode(join(folder, name)));
      if (code !== undefined) return code;
    } catch {
      // The next place may have it. Without any, the program is compiled.
    }
  }
  return undefined;
}

/** Keeps code under a name, in the first place where that is possible, and discards the oldest files there. */
export function writeKept(name: string, code: Buffer): void {
  for (const place of places()) {
    try {
      makeFolder(place);
      inFolder(place, (folder) => {
        writeCode(join(folder, name), code);
        discardOldest(folder, name);
      });
      return;
    } catch {
      // A full or read-only disk is no reason to fail. The next place may have room.
    }
  }
}

/** A folder for kept code. */
interface Place {
  /** The folder that has to be there already. */
  readonly above: string;
  /** The folders to make in it, each in the one before. */
  readonly below: readonly string[];
}

/** The places that may be used, the best first: the caches of the user (XDG Base Directory Specification), then `/tmp`. */
function places(): Place[] {
  const { XDG_CACHE_HOME: caches = '', HOME: home = '' } = process.env;
  return [
    { above: dirname(caches), below: [basename(caches), 'udpcat'] },
    { above: home, below: ['.cache', 'udpcat'] },
    { above: tmpdir(), below: [`udpcat-${process.geteuid?.() ?? ''}`] },
  ].filter(({ above }) => isAbsolute(above));
}

/** Makes the folder of a place where it is missing. */
function makeFolder({ above, below }: Place): void {
  let folder = above;
  for (const name of below) {
    folder = join(trustedFolder(folder), name);
    // `recursive` is for a folder that is there already, perhaps since a moment ago.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
}

/**
 * Opens the folder of a place and does something in it.
 *
 * @param task Receives a path of the folder. On Linux the path leads to the folder that was opened and checked, even if
 *   another has its name by now.
 * @throws If another user could have changed the folder or put another in its place.
 */
function inFolder<T>({ above, below }: Place, task: (folder: string) => T): T {
  const path = [above, ...below].join('/');
  const folder = join(trustedFolder(dirname(path)), basename(path));
  const fd = openSync(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  try {
    if (!isOwn(fstatSync(fd), OWN_FOLDER)) throw new Error(`${folder} is not for this user alone`);
    return task(process.platform === 'linux' ? `/proc/self/fd/${fd}` : folder);
  } finally {
    closeSync(fd);
  }
}

/**
 * Resolves the symbolic links of a path, step by step from the root, and checks that nobody but this user and root can
 * change where it leads: each folder and link on the way belongs to one of them, and other users can write to none of
 * the folders. A sticky folder of root's, such as `/tmp`, counts as not writable.
 *
 * @throws If another user could change where the path leads, or it does not lead to a folder.
 */
function trustedFolder(path: string, links = MOST_LINKS): string {
  const above = path === '/' ? path : trustedFolder(dirname(path), links);
  const folder = join(above, basename(path));
  const stats = lstatSync(folder);
  const isOfRoot = stats.uid === 0;
  if (isOfRoot || stats.uid === process.geteuid?.()) {
    if (stats.isSymbolicLink() && links > 0) return trustedFolder(resolve(above, readlinkSync(folder)), links - 1);
    const isClosed = (stats.mode & WRITABLE_BY_OTHERS) === 0 || (isOfRoot && (stats.mode & STICKY) !== 0);
    if (stats.isDirectory() && isClosed) return folder;
  }
  throw new Error(`${folder} can be changed by other users`);
}

function isOwn({ uid, mode }: Stats, kindAndPermissions: number): boolean {
  return uid === process.geteuid?.() && (mode & KIND_AND_PERMISSIONS) === kindAndPermissions;
}

/** Reads a kept file. Its checksum is compared because V8 does not notice damaged code. */
function readCode(path: string): Buffer | undefined {
  // Without O_NONBLOCK, to open a FIFO would wait for a writer.
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    // A file that another run has just replaced has no link left.
    if (!isOwn(stats, OWN_FILE) || stats.nlink > 1) return undefined;
    const kept = readFileSync(fd);
    const code = kept.subarray(CHECKSUM_BYTES);
    return kept.readUInt32BE() === crc32(code) ? code : undefined;
  } finally {
    closeSync(fd);
  }
}

/** Writes a new file and gives it the name then: nobody reads half of it, and no file that is there is written to. */
function writeCode(path: string, code: Buffer): void {
  const unfinished = `${path}.${Math.random().toString(36).slice(2)}`;
  const checksum = Buffer.alloc(CHECKSUM_BYTES);
  checksum.writeUInt32BE(crc32(code));
  try {
    writeFileSync(unfinished, Buffer.concat([checksum, code]), { flag: 'wx', mode: 0o600 });
    renameSync(unfinished, path);
  } catch (error) {
    discard(unfinished);
    throw error;
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
    unlinkSync(path);
  } catch {
    // Another run discarded it first, or it was never made.
  }
}
