// The folder dist: whether it is current, and how a new one takes its place. It imports only Node's own modules, because
// `npm run prepare` loads it before every first `npx udpcat`.
import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

/** Files and folders that decide the content of dist. The lock file stands for the packages. Node's version does not matter. */
const INPUTS = [
  ...['bin', 'src', 'scripts', 'docs', 'README.md'],
  ...['package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.net.json'],
];

/** The file in dist that holds the checksums of the inputs and of dist. */
const CHECKSUMS = '.checksums';

/** A folder of a build: `dist.new-` while it is made, `dist.old-` once another has taken its place. Then the process. */
const LEFTOVER = /^\.(new|old)-(\d+)$/;

/** All files below a path, or the path itself if it is a file. */
function filesBelow(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).sort().flatMap((name) => filesBelow(join(path, name)));
}

/** SHA-256 of the names and contents of files. */
function checksumOf(root, files, ...more) {
  const hash = createHash('sha256');
  for (const text of more) hash.update(`${text}\0`);
  for (const file of files) {
    const content = readFileSync(file);
    hash.update(`${relative(root, file)}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** Returns the checksum of everything that decides the content of dist. */
export function checksumOfInputs(root, { sourcemap = false } = {}) {
  const files = INPUTS.flatMap((name) => filesBelow(join(root, name)));
  return checksumOf(root, files, sourcemap ? 'sourcemap' : '', process.env.SOURCE_DATE_EPOCH ?? '');
}

function checksumOfOutputs(dist) {
  const files = filesBelow(dist).filter((file) => file !== join(dist, CHECKSUMS));
  return checksumOf(dist, files);
}

/** Writes the checksums into a finished build. */
export function sign(folder, inputs) {
  writeFileSync(join(folder, CHECKSUMS), `${inputs} ${checksumOfOutputs(folder)}\n`);
}

/** Whether dist is whole and was built from these inputs. */
export function isCurrent(dist, inputs) {
  try {
    return readFileSync(join(dist, CHECKSUMS), 'utf8') === `${inputs} ${checksumOfOutputs(dist)}\n`;
  } catch {
    return false;
  }
}

/** Makes an empty folder beside dist for a new build, and returns its path. */
export function beginBuild(dist) {
  const folder = `${dist}.new-${process.pid}`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  return folder;
}

/** Puts a finished build in the place of dist. A signal waits until that is done. Another build may do the same meanwhile. */
export function finishBuild(dist, folder) {
  const old = `${dist}.old-${process.pid}`;
  const wait = () => undefined;
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, wait);
  while (!renamed(folder, dist, OCCUPIED)) {
    rmSync(old, { recursive: true, force: true });
    // Another build may have moved it.
    renamed(dist, old, ['ENOENT']);
  }
  rmSync(old, { recursive: true, force: true });
}

/** Puts a program in the place of the command, whatever else is in dist. dist is not current then. */
export function standIn(dist, program) {
  const command = join(dist, 'bin', 'udpcat.cjs');
  const unfinished = `${command}.${process.pid}`;
  mkdirSync(dirname(command), { recursive: true });
  copyFileSync(program, unfinished);
  chmodSync(unfinished, 0o755);
  renameSync(unfinished, command);
}

/** The error if there is a folder of the new name: on Linux, on other systems, on Windows. */
const OCCUPIED = ['ENOTEMPTY', 'EEXIST', 'EPERM'];

/** Renames a folder. Returns false for one of these errors. */
function renamed(from, to, errors) {
  try {
    renameSync(from, to);
    return true;
  } catch (error) {
    if (!errors.includes(error.code)) throw error;
    return false;
  }
}

/** Removes the folders of builds that were interrupted. If one had just moved dist away, dist is put back. */
export function removeLeftovers(dist) {
  const above = dirname(dist);
  for (const name of readdirSync(above)) {
    if (!name.startsWith(basename(dist))) continue;
    const [, kind, pid] = LEFTOVER.exec(name.slice(basename(dist).length)) ?? [];
    if (kind === undefined || isRunning(Number(pid))) continue;
    const leftover = join(above, name);
    if (kind === 'old') renamed(leftover, dist, [...OCCUPIED, 'ENOENT']);
    rmSync(leftover, { recursive: true, force: true });
  }
}

/** Whether a process has this number, and has not ended. */
function isRunning(pid) {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  try {
    // Field 3 of proc(5). A container without an init process never removes a process that has ended.
    const [, state] = /^.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1')) ?? [];
    return state !== 'Z';
  } catch {
    // The process has ended meanwhile, or the system has no /proc.
    return true;
  }
}
