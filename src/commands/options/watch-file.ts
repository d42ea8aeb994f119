import { dirname, resolve } from 'node:path';
import { InvalidArgumentError } from 'commander';
import type { OptionSpec, OptionTable } from '../../cli/options.js';
import { UsageError } from '../../cli/usage-error.js';
import { type Path, YamlFile } from '../../cli/yaml-file.js';
import { readPayloadFile } from '../../input/payload.js';
import { describeSystemError } from '../../net/errors.js';
import type { Io } from '../../run/context.js';
import type { PlanProbe, TargetPlan, WatchedPlan } from '../../watch/plan.js';
import { LocalFailure } from '../../text/failure.js';
import { planCheck, planTarget, SOME_ADDRESS, type TargetLevel, type WrittenTarget } from './watch-target.js';
import { runOptions, type RunValues, targetOptions, type WatchValues } from './watch.js';

/** A larger file is a mistake. */
const MAX_FILE_BYTES = 64 * 1024 * 1024;

/** The keys of the top that are no options. */
const LISTS = ['modules', 'targets'] as const;
/** The keys of a target that are no options. */
const TARGET_KEYS = ['address', 'module', 'name', 'labels', 'health'] as const;
/** Labels that the metrics have already. */
const RESERVED_LABELS: ReadonlySet<string> = new Set(['target', 'address', 'verdict', 'result', 'le']);

/** The content of a file of targets. */
export interface WatchFile extends WatchedPlan {
  /** The options of the run: those of the command line, with those at the top of the file. */
  readonly run: RunValues;
}

/**
 * Reads a file of targets.
 *
 * @param values the options of the command line, which are the outermost level
 * @param signal ends the reading of a pipe
 * @throws {UsageError} for a file that cannot be read, and for anything wrong in it, with the line and the key
 * @throws {LocalFailure} for a pipe that nobody ended before `signal`, and for a program of `on-change` that cannot be run
 */
export async function planFile(path: string, values: WatchValues, io: Io, signal: AbortSignal): Promise<WatchFile> {
  const file = new LevelReader(await YamlFile.parse(path, await readFile(path, signal)));
  const root = file.mapping([], file.source.values(), 'a file of targets');
  const run = { ...values, ...file.readLevel([], without(root, LISTS), runOptions(), 'ignore') };
  // A server of HTTP needs no target: it checks the addresses that it is asked for.
  const byDefault = run.http === undefined ? undefined : [];
  const { modules: writtenModules = {}, targets: writtenTargets = byDefault, ...top } = root;
  const topLevel = file.readLevel([], top, { ...runOptions(), ...targetOptions() }, 'refuse');
  const outer = overlay(values, only(topLevel, targetOptions()));
  const modules = new Map<string, TargetLevel>();
  for (const [name, written] of Object.entries(file.mapping(['modules'], writtenModules, 'the modules'))) {
    const level = file.mapping(['modules', name], written, 'a module');
    modules.set(name, file.readLevel(['modules', name], level, targetOptions(), 'refuse'));
  }
  if (!Array.isArray(writtenTargets)) throw file.source.error(['targets'], 'it must be a list of targets');
  if (writtenTargets.length === 0 && run.http === undefined) throw file.source.error(['targets'], 'the list is empty');
  const isAlone = writtenTargets.length === 1;
  const targets: TargetPlan[] = [];
  const places = new Map<string, Path>();
  for (const [index, written] of writtenTargets.entries()) {
    const place = ['targets', index];
    const target = file.mapping(place, written, 'a target');
    const { module: moduleName } = target;
    const level = moduleName === undefined ? {} : modules.get(file.text([...place, 'module'], moduleName));
    if (level === undefined) {
      throw file.source.error([...place, 'module'], `there is no module ${JSON.stringify(moduleName)}`);
    }
    const own = file.readLevel(place, without(target, TARGET_KEYS), targetOptions(), 'refuse');
    const merged = overlay(overlay(outer, level), own);
    const plan = await file.at(place, () =>
      planTarget(file.target(place, target), merged, { io, isAlone, until: run.until }),
    );
    const before = places.get(plan.name);
    if (before !== undefined) {
      throw file.source.error(place, `${plan.name} is the name of ${file.source.describe(before)} already`);
    }
    places.set(plan.name, place);
    targets.push(plan);
  }
  const planProbe: PlanProbe = async (address, module) => {
    const level = module === undefined ? {} : modules.get(module);
    if (level !== undefined) return planCheck(address, overlay(outer, level), io);
    throw new UsageError(
      `there is no module ${JSON.stringify(module)}; there is ${[...modules.keys()].join(', ') || 'none'}`,
    );
  };
  if (run.http !== undefined) {
    for (const name of modules.keys()) await file.at(['modules', name], () => planProbe(SOME_ADDRESS, name));
  }
  return { targets, planProbe, run };
}

async function readFile(path: string, signal: AbortSignal): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readPayloadFile(path, MAX_FILE_BYTES, signal);
  } catch (cause) {
    const message = `option '--config': cannot read ${path}: ${describeSystemError(cause)}`;
    throw signal.aborted ? new LocalFailure(message) : new UsageError(message);
  }
  if (bytes.length > MAX_FILE_BYTES) throw new UsageError(`${path}: it is larger than 64 MiB`);
  return bytes;
}

/** Values that replace each other when an inner level gives one of them. */
const SOURCES = ['probe', 'message', 'file', 'size'] as const;
const FAMILIES = ['ipv4', 'ipv6'] as const;

/** The values of an outer level with those of an inner one, which are nearer. */
function overlay<Outer extends TargetLevel>(outer: Outer, inner: TargetLevel): Outer {
  const replaced = [SOURCES, FAMILIES].flatMap((keys) => (keys.some((key) => key in inner) ? keys : []));
  const cleared = Object.fromEntries(replaced.map((key) => [key, undefined]));
  return { ...outer, ...cleared, ...inner };
}

function only(level: Readonly<Record<string, unknown>>, table: OptionTable): TargetLevel {
  return Object.fromEntries(Object.entries(level).filter(([name]) => name in table));
}

function without(mapping: Readonly<Record<string, unknown>>, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(mapping).filter(([key]) => !keys.includes(key)));
}

type Mapping = Readonly<Record<string, unknown>>;

/** Reads the levels of a file by the readers of the options. */
class LevelReader {
  readonly source: YamlFile;

  constructor(source: YamlFile) {
    this.source = source;
  }

  /** A value that must be a mapping; `what` names it in the error. */
  mapping(place: Path, value: unknown, what: string): Mapping {
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Mapping;
    throw this.source.error(place, `${what} must have keys`);
  }

  /** A value that must be text. */
  text(place: Path, value: unknown): string {
    if (typeof value === 'string') return value;
    throw this.source.error(place, 'it must be text');
  }

  yesOrNo(place: Path, value: unknown): boolean {
    const text = this.text(place, value);
    if (text === 'yes' || text === 'true') return true;
    if (text === 'no' || text === 'false') return false;
    throw this.source.error(place, `${JSON.stringify(text)}: it must be yes or no`);
  }

  /** The keys of a target that are no options. */
  target(place: Path, { address, name, labels, health }: Mapping): WrittenTarget {
    if (address === undefined) throw this.source.error(place, 'a target needs an address');
    return {
      address: this.text([...place, 'address'], address),
      name: name === undefined ? undefined : this.#name([...place, 'name'], name),
      labels: labels === undefined ? undefined : this.#labels([...place, 'labels'], labels),
      health: health === undefined ? undefined : this.yesOrNo([...place, 'health'], health),
    };
  }

  #name(place: Path, value: unknown): string {
    const name = this.text(place, value);
    if (name === '') throw this.source.error(place, 'a name is not empty');
    return name;
  }

  /** Labels as Prometheus allows them (its data model, "Metric names and labels"). */
  #labels(place: Path, value: unknown): Readonly<Record<string, string>> {
    const entries = Object.entries(this.mapping(place, value, 'labels'));
    return Object.fromEntries(
      entries.map(([label, text]) => {
        const at = [...place, label];
        if (!/^[A-Za-z_]\w*$/.test(label) || label.startsWith('__')) {
          throw this.source.error(at, 'a label has letters, digits and _, and begins with neither a digit nor __');
        }
        if (RESERVED_LABELS.has(label)) throw this.source.error(at, 'the metrics have this label already');
        return [label, this.text(at, text)];
      }),
    );
  }

  /**
   * Reads the options of one level.
   *
   * @param unknownKeys whether a key that is no option of the table is an error
   */
  readLevel(
    place: Path,
    mapping: Mapping,
    table: OptionTable,
    unknownKeys: 'refuse' | 'ignore',
  ): Record<string, unknown> {
    const level: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(mapping)) {
      const found = findOption(key, table);
      if (found !== undefined) level[found.name] = this.#read([...place, key], value, found.spec);
      else if (unknownKeys === 'refuse') throw this.source.error([...place, key], 'there is no such key');
    }
    if (level.hex === true) level.encoding = 'hex';
    if (level.file !== undefined)
      level.file = (level.file as string[]).map((path) => resolve(dirname(this.source.path), path));
    return level;
  }

  #read(place: Path, value: unknown, { options, repeatable }: OptionSpec<unknown>): unknown {
    const [declared] = options;
    if (declared === undefined) return undefined;
    if (!declared.required) {
      const stands = this.yesOrNo(place, value);
      return options.length > 1 ? stands : stands || undefined;
    }
    const texts = repeatable ? [value].flat() : [value];
    return texts.reduce((before: unknown, each, index) => {
      const at = Array.isArray(value) && repeatable ? [...place, index] : place;
      const text = this.text(at, each);
      try {
        return declared.parseArg === undefined ? text : declared.parseArg(text, before);
      } catch (error) {
        if (error instanceof InvalidArgumentError)
          throw this.source.error(at, `${JSON.stringify(text)}: ${error.message}`);
        throw error;
      }
    }, undefined);
  }

  /** Names the place in the usage errors of `read`. */
  async at<Value>(place: Path, read: () => Promise<Value>): Promise<Value> {
    try {
      return await read();
    } catch (error) {
      if (error instanceof UsageError && !error.message.startsWith(`${this.source.path}:`)) {
        throw this.source.error(place, error.message);
      }
      throw error;
    }
  }
}

function findOption(
  key: string,
  table: OptionTable,
): { readonly name: string; readonly spec: OptionSpec<unknown> } | undefined {
  for (const [name, spec] of Object.entries(table)) {
    if (spec.options[0]?.long === `--${key}`) return { name, spec };
  }
  return undefined;
}
