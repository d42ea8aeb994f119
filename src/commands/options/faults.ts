import { UsageError } from '../../cli/usage-error.js';
import { common, grouped, option, type OptionSpec, type OptionTable, repeatable } from '../../cli/options.js';
import type { Fault } from '../../faults/fault.js';
import { parseSeed } from '../../faults/random.js';
import { type FaultName, FAULTS, type FaultSettings } from '../../faults/table.js';

type FaultOptions = { readonly [Name in FaultName]: OptionSpec<FaultSettings[Name]> };

/** The way of datagrams through a relay: from the clients to the target, or back. */
export type Way = 'up' | 'down';

/** One option for each fault of the table, and the seed. */
export function faultOptions() {
  return grouped('Faults in the answers:', { ...optionsOf((fault) => fault), seed: seedOption() });
}

/** The options of {@link faultOptions} for the datagrams of a relay, and the same ones for each way. */
export function directedFaultOptions() {
  return {
    ...grouped('Faults, both ways:', { ...optionsOf(ofDatagrams), seed: seedOption() }),
    ...grouped('Faults from clients to the target:', directed('up')),
    ...grouped('Faults from the target to clients:', directed('down')),
  };
}

function seedOption() {
  return option(
    '--seed <n>',
    'repeat the faults of the run with this seed (default: a new one, which is printed)',
    parseSeed,
  );
}

function optionsOf(written: (fault: Fault<unknown>) => Fault<unknown>): FaultOptions {
  const rows = Object.entries(FAULTS).map(([name, fault]) => [name, faultOption(written(fault as Fault<unknown>))]);
  return Object.fromEntries(rows) as FaultOptions;
}

/** Writes the help of a fault for a relay, whose datagrams are no answers. */
function ofDatagrams(fault: Fault<unknown>): Fault<unknown> {
  const help = fault.help
    .replaceAll('answers', 'datagrams')
    .replaceAll('an answer', 'a datagram')
    .replaceAll('each answer', 'each datagram')
    .replaceAll('for each peer', 'for each session')
    .replaceAll('the same peer', 'the same receiver');
  return { ...fault, help };
}

function directed(way: Way): OptionTable {
  const rows = Object.entries(FAULTS).map(([name, fault]) => {
    const { flags, help, ...others } = ofDatagrams(fault as Fault<unknown>);
    const prefixed = { ...others, flags: flags.replace('--', `--${way}-`), help, isCommon: false };
    return [directedName(way, name), faultOption(prefixed)] as const;
  });
  return Object.fromEntries(rows);
}

/** The name of the option of one way: `upLoss` of `loss`. */
function directedName(way: Way, name: string): string {
  return `${way}${name.slice(0, 1).toUpperCase()}${name.slice(1)}`;
}

/**
 * The settings of both ways. An option with the prefix of a way wins over the one without.
 *
 * @throws {UsageError} for `--line-queue` without a line
 */
export function directedSettings(values: Readonly<Record<string, unknown>>): Readonly<Record<Way, FaultSettings>> {
  const up = settingsOf('up', values);
  const down = settingsOf('down', values);
  // A general queue is about the lines that there are. A queue of one way needs the line of that way.
  if (up.bandwidth === undefined && down.bandwidth === undefined) checkLine({ lineQueue: values.lineQueue as number });
  return { up: withLine('up', up, values), down: withLine('down', down, values) };
}

function settingsOf(way: Way, values: Readonly<Record<string, unknown>>): FaultSettings {
  const names = Object.keys(FAULTS) as FaultName[];
  const settings = names.map((name) => [name, values[directedName(way, name)] ?? values[name]] as const);
  return Object.fromEntries(settings.filter(([, setting]) => setting !== undefined));
}

/** Leaves a general `--line-queue` out of a way without a line. */
function withLine(way: Way, settings: FaultSettings, values: Readonly<Record<string, unknown>>): FaultSettings {
  const isOwn = values[directedName(way, 'lineQueue')] !== undefined;
  if (isOwn) checkLine(settings, `${way}-`);
  if (settings.bandwidth !== undefined) return settings;
  const { lineQueue: _withoutLine, ...others } = settings;
  return others;
}

/** Checks that `--line-queue` comes with a line. @throws {UsageError} */
export function checkLine({ lineQueue, bandwidth }: FaultSettings, prefix = ''): void {
  if (lineQueue === undefined || bandwidth !== undefined) return;
  throw new UsageError(`option '--${prefix}line-queue' is about a line: add --${prefix}bandwidth`);
}

function faultOption({ flags, help, read, isRepeatable, isCommon }: Fault<unknown>): OptionSpec<unknown> {
  const spec = isRepeatable === true ? repeatable(flags, help, read) : option(flags, help, read);
  return isCommon === true ? common<unknown>(spec) : spec;
}
