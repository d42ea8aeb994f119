import { type Command, InvalidArgumentError, Option } from 'commander';
import { ValueError } from '../net/errors.js';
import type { Completes, Parser } from '../text/value.js';

/** An option as commander has it, and what a shell can offer for its value. */
export class DeclaredOption extends Option {
  completes: Completes | undefined;
}

/** One option of a command, declared once: how it is written, what it means, how it is read, and the type of its value. */
export interface OptionSpec<Value> {
  /** For commander: one, or a flag and its negation. */
  readonly options: readonly Option[];
  readonly repeatable: boolean;
  /** Only in the type: what {@link ValuesOf} reads. */
  readonly value?: Value;
}

/** The options of a command by name. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** The values that a table of options stands for. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionSpec<infer Value> ? Value : never;
};

/** An option with a value. */
export function option<Value>(flags: string, help: string, parse: Parser<Value>): OptionSpec<Value | undefined>;
export function option<Value>(
  flags: string,
  help: string,
  parse: Parser<Value>,
  byDefault: NoInfer<Value>,
): OptionSpec<Value>;
export function option<Value>(
  flags: string,
  help: string,
  parse: Parser<Value>,
  byDefault?: Value,
): OptionSpec<Value | undefined> {
  const declared = new DeclaredOption(flags, help).argParser((text) => reading(parse, text));
  declared.completes = parse.completes;
  if (byDefault !== undefined) {
    const shown = typeof byDefault === 'object' ? Object.values(byDefault as object).join(':') : String(byDefault);
    declared.default(byDefault, shown);
  }
  return { options: [declared], repeatable: false };
}

/** An option that may stand several times, each time with a value. */
export function repeatable<Value>(
  flags: string,
  help: string,
  parse: Parser<Value>,
): OptionSpec<readonly Value[] | undefined> {
  const declared = new DeclaredOption(flags, `${help} (repeatable)`);
  declared.completes = parse.completes;
  declared.argParser<readonly Value[] | undefined>((text, before) => [...(before ?? []), reading(parse, text)]);
  return { options: [declared], repeatable: true };
}

/** An option without a value: it stands or it does not. */
export function flag(flags: string, help: string): OptionSpec<true | undefined> {
  return { options: [new Option(flags, help)], repeatable: true };
}

/** A flag that turns something off: true unless it stands. */
export function unlessFlag(flags: string, help: string): OptionSpec<boolean> {
  return { options: [new Option(flags, help)], repeatable: true };
}

/** A flag and its negation; undefined when neither stands. */
export function toggle(
  flags: string,
  negation: string,
  help: string,
  negationHelp: string,
): OptionSpec<boolean | undefined> {
  return { options: [new Option(flags, help), new Option(negation, negationHelp)], repeatable: true };
}

/**
 * Declares the options of a table on a command. An option that is given twice, and may not be, is a usage error.
 *
 * @throws {Error} where a key of the table is not commander's own name for the option
 */
export function addOptions(command: Command, table: OptionTable): void {
  for (const [name, spec] of Object.entries(table)) {
    for (const declared of spec.options) {
      if (declared.attributeName() !== name) throw new Error(`option ${declared.flags} is called ${name} in its table`);
      command.addOption(declared);
    }
    const [declared] = spec.options;
    if (declared === undefined || spec.repeatable) continue;
    let given = false;
    command.on(`option:${declared.name()}`, () => {
      if (given) command.error(`error: option '${declared.flags}' may stand only once`);
      given = true;
    });
  }
}

/** Puts the options of a table under a heading of their own in the help. */
export function grouped<Table extends OptionTable>(heading: string, table: Table): Table {
  for (const { options } of Object.values(table)) {
    for (const declared of options) declared.helpGroup(heading);
  }
  return table;
}

/** An option that may not stand beside others, which are named as in their table. */
export function conflicting<Value>(spec: OptionSpec<Value>, ...others: string[]): OptionSpec<Value> {
  for (const declared of spec.options) declared.conflicts(others);
  return spec;
}

/** Reads a value; commander tells what is wrong with it, and which option it is of. */
function reading<Value>(parse: Parser<Value>, text: string): Value {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof ValueError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
