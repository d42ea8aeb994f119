/** Reads the table of floors in docs/code.md and finds imports that it forbids. */
import type { Source } from './imports.js';

/** A room of the table: a folder of `src`, or `bin`. */
export interface Room {
  /** The number of its floor, from 1, the lowest. */
  readonly floor: number;
  /** The lowest and the highest floor from which it may import. Undefined if it may not import from any. */
  readonly imports: readonly [lowest: number, highest: number] | undefined;
  /** Other rooms from which it may import. */
  readonly also: readonly string[];
}

const ROW = /^\|\s*(\d+)\s*\|([^|]*)\|([^|]*)\|$/gm;
const NAMES = /`([a-z]+)`/g;

/**
 * Returns the rooms of the table, by name.
 *
 * @throws {Error} if the page has no such table
 */
export function readFloors(page: string): ReadonlyMap<string, Room> {
  const rooms = new Map<string, Room>();
  for (const [, floor = '', names = '', allowed = ''] of page.matchAll(ROW)) {
    const [, lowest, highest] = /(\d+)(?: to (\d+))?/.exec(allowed) ?? [];
    const imports = lowest === undefined ? undefined : ([Number(lowest), Number(highest ?? lowest)] as const);
    for (const name of namesIn(names)) rooms.set(name, { floor: Number(floor), imports, also: also(name, allowed) });
  }
  if (rooms.size === 0) throw new Error('the page has no table of floors');
  return rooms;
}

function namesIn(text: string): string[] {
  return [...text.matchAll(NAMES)].map(([, name = '']) => name);
}

/**
 * Returns the rooms that stand behind "`name` also", for example `input` for `check` in "1 to 2; `check` also `input`".
 */
function also(name: string, allowed: string): string[] {
  const [, others = ''] = new RegExp(`\`${name}\` also ([^;]*)`).exec(allowed) ?? [];
  return namesIn(others);
}

/** Returns the room of a file: `net` for `src/net/address/endpoint.ts`, `bin` for `bin/main.ts`. */
export function roomOf(path: string): string {
  const [top = '', second = ''] = path.split('/');
  return top === 'src' ? second : top;
}

/** Returns the imports that the table does not allow, as `from → to`. */
export function forbiddenImports(sources: readonly Source[], rooms: ReadonlyMap<string, Room>): string[] {
  return sources.flatMap(({ path, imports }) =>
    imports.filter((target) => !mayImport(path, target, rooms)).map((target) => `${path} → ${target}`),
  );
}

function mayImport(path: string, target: string, rooms: ReadonlyMap<string, Room>): boolean {
  const [from, to] = [roomOf(path), roomOf(target)];
  if (from === to) return true;
  const [importer, imported] = [rooms.get(from), rooms.get(to)];
  if (importer === undefined || imported === undefined) return false;
  if (importer.also.includes(to)) return true;
  const [lowest, highest] = importer.imports ?? [1, 0];
  return imported.floor >= lowest && imported.floor <= highest;
}

/**
 * Merges the sources of each folder into one, named by the folder. Leaves out imports between a folder and the folders
 * inside it, which may form a circle: an engine imports the errors of `net`, and `net` opens the engine.
 */
export function foldersOf(sources: readonly Source[]): Source[] {
  const folders = new Map<string, Set<string>>();
  for (const { path, imports } of sources) {
    const folder = folderOf(path);
    const all = folders.get(folder) ?? new Set();
    for (const target of imports.map(folderOf)) if (!isNested(folder, target)) all.add(target);
    folders.set(folder, all);
  }
  return [...folders].map(([path, imports]) => ({ path, imports: [...imports], usesOfProcess: [] }));
}

function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function isNested(a: string, b: string): boolean {
  return `${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`);
}
