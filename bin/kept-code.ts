/**
 * Keeps compiled code between runs, in a folder that only this user and root can change. V8 runs compiled code without
 * a check. If another user could write the file, that user could run any code as this user.
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

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, S_IFMT, S_IFDIR, S_IFREG } = constants;

/** The bits of a mode for kind and permissions. Other bits, for example setgid, may come from a parent folder. */
const KIND_AND_PERMISSIONS = S_IFMT | 0o777;
const OWN_FOLDER = S_IFDIR | 0o700;
const OWN_FILE = S_IFREG | 0o600;
const WRITABLE_BY_OTHERS = 0o022;
/** The sticky bit of a folder: only the owner of a file, or of the folder, can remove or rename the file. */
const STICKY = 0o1000;

/** How many symbolic links are followed in a row. More of them count as a loop. */
const MOST_LINKS = 8;

/** How many files are kept, of all builds together. A build has two files for each kind of run: at most eighteen. */
const MOST_KEPT = 36;
/** Matches names of kept files, of each build, and of files that are still being written. */
const OWN_NAME = /^[a-z]{1,16}-v\d+\.\d+\.\d+[\w.+-]*-[a-z0-9]+-[\da-f]{8}(\.[\da-z]+)?$/;
/** How many files are compared by age when one is written. */
const MOST_LOOKED_AT = 1024;

/**
 * Returns the name of the kept file with the compiled code of a program. It depends on the file of the program: on its path,
 * inode, size and time of change, which the system sets anew when the content changes. It also depends on the version of Node
 * and on its flags, because V8 rejects code that was compiled with another version or other flags.
 *
 * @param kind Distinguishes several files of one program: 1 to 16 lower-case letters.
 * @param path of the program
 * @param stats of the program
 * @returns `undefined` if no code is kept: on Windows, under Bun and Deno, and with `NODE_DISABLE_COMPILE_CACHE=1`.
 */
export function nameOf(kind: string, path: string, { ino, size, ctimeMs }: Stats): string | undefined {
  const { geteuid, env, execArgv, version, versions, arch } = process;
  if (geteuid === undefined || env.NODE_DISABLE_COMPILE_CACHE === '1') return undefined;
  // Bun and Deno also report a version of Node, but their compiled code is another.
  if (versions.bun !== undefined || versions.deno !== undefined) return undefined;
  const id = [path, ino, size, ctimeMs, env.NODE_OPTIONS, ...execArgv].join('\0');
  return [kind, version, arch, hashOf(id)].join('-');
}

/** Returns the FNV-1a hash of a text: 8 hexadecimal digits. The function of `node:zlib` would load that large module. */
function hashOf(text: string): string {
  let hash = 0x811c_9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x0100_0193);
  return (hash >>> 0).toString(16).padStart(8, '0');
}

/** Returns the code that was kept under a name; `undefined` if no file of that name is complete and can be trusted. */
export function readKept(name: string): Buffer | undefined {
  for (const place of places()) {
    try {
      const code = inFolder(place, (folder) => readCode(join(folder, name)));
      if (code !== undefined) return code;
    } catch {
      // Try the next place. If no place has the code, the program is compiled.
    }
  }
  return undefined;
}

/** Writes code under a name, in the first place where that succeeds, and removes the oldest files there. */
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
      // The disk may be full or read-only: try the next place. Without one, the code is not kept.
    }
  }
}

/** A folder for kept code. */
interface Place {
  /** Path of the folder that must exist. */
  readonly above: string;
  /** Names of the folders to make in it, each inside the one before. */
  readonly below: readonly string[];
}

/**
 * Returns the places to try, in order: the user's cache folders (XDG Base Directory Specification), then the folder for
 * temporary files.
 */
function places(): Place[] {
  const { XDG_CACHE_HOME: caches = '', HOME: home = '' } = process.env;
  return [
    { above: dirname(caches), below: [basename(caches), 'udpcat'] },
    { above: home, below: ['.cache', 'udpcat'] },
    { above: tmpdir(), below: [`udpcat-${process.geteuid?.() ?? ''}`] },
  ].filter(({ above }) => isAbsolute(above));
}

/** Makes the folders of a place that are missing. @throws if another user could change where they are made */
function makeFolder({ above, below }: Place): void {
  let folder = above;
  for (const name of below) {
    folder = join(trustedFolder(folder), name);
    // With `recursive`, mkdir succeeds if the folder exists already.
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  }
}

/**
 * Opens the folder of a place, checks it and calls `task` with a path of it. On Linux the path leads to the very folder
 * that was checked, even if another folder has its name by now.
 *
 * @throws If another user could have changed the folder or replaced it.
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
 * Resolves the symbolic links of a path, step by step from the root. Checks that only this user and root can change
 * where the path leads: each folder and link on the way belongs to one of them, and other users cannot write to the
 * folders. A folder of root with the sticky bit, for example `/tmp`, counts as not writable.
 *
 * @throws If another user could change where the path leads, or if it does not lead to a folder.
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

/**
 * Reads a kept file. It holds the code twice, because V8 does not notice damaged code. To compare the halves takes less time than
 * to load a module with a checksum.
 */
function readCode(path: string): Buffer | undefined {
  // Without O_NONBLOCK, opening a FIFO would wait for a writer.
  const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    const stats = fstatSync(fd);
    // A file with two links also has a name in another folder, perhaps one of another user. A file without a link is
    // right: another run has just replaced it.
    if (!isOwn(stats, OWN_FILE) || stats.nlink > 1) return undefined;
    const kept = readFileSync(fd);
    const code = kept.subarray(0, kept.length / 2);
    return code.length > 0 && code.equals(kept.subarray(code.length)) ? code : undefined;
  } finally {
    closeSync(fd);
  }
}

/** Writes a new file, then renames it: no run reads half a file, and no existing file is written to. */
function writeCode(path: string, code: Buffer): void {
  const unfinished = `${path}.${Math.random().toString(36).slice(2)}`;
  try {
    writeFileSync(unfinished, Buffer.concat([code, code]), { flag: 'wx', mode: 0o600 });
    renameSync(unfinished, path);
  } catch (error) {
    discard(unfinished);
    throw error;
  }
}

/** Removes the files that were written longest ago, so that files of old builds do not stay for ever. */
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
    // Another run has removed the file, or it was never made.
  }
}
