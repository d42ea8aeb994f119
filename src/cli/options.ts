import { type Command, InvalidArgumentError, Option } from 'commander';
import { ValueError } from '../net/errors.js';
import type { Completes, Parser } from '../text/value.js';

/** An option as commander has it, with facts for shells and for the help. */
export class DeclaredOption extends Option {
  /** The values that a shell can offer. */
  completes: Completes | undefined;
  /** Whether the short help (`-h`) shows it. */
  isCommon = false;
}

/** One option of a command: its flags, its help, its parser and the type of its value. */
export interface OptionSpec<Value> {
  /** One option, or a flag and its negation. */
  readonly options: readonly DeclaredOption[];
  readonly repeatable: boolean;
  /** It exists only in the type: {@link ValuesOf} reads it. */
  readonly value?: Value;
}

/** The options of a command by name. */
export type OptionTable = Readonly<Record<string, OptionSpec<unknown>>>;

/** The parsed values of a table of options. */
export type ValuesOf<Table extends OptionTable> = {
  readonly [Name in keyof Table]: Table[Name] extends OptionSpec<infer Value> ? Value : never;
};

/** Declares an option with a value. A default stands in the help. */
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

/** Declares an option with a value that the user may give several times. */
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

/** Declares an option without a value. It is undefined unless the user gives it. */
export function flag(flags: string, help: string): OptionSpec<true | undefined> {
  return { options: [new DeclaredOption(flags, help)], repeatable: true };
}

/** Declares a flag that turns something off. It is true unless the user gives the flag. */
export function unlessFlag(flags: string, help: string): OptionSpec<boolean> {
  return { options: [new DeclaredOption(flags, help)], repeatable: true };
}

/** Declares a flag and its negation. The value is undefined unless the user gives one of them. */
export function toggle(
  flags: string,
  negation: string,
  help: string,
  negationHelp: string,
): OptionSpec<boolean | undefined> {
  return { options: [new DeclaredOption(flags, help), new DeclaredOption(negation, negationHelp)], repeatable: true };
}

/**
 * Adds the options of a table to a command. To give an option twice is a usage error, unless it is repeatable.
 *
 * @throws {Error} if a key of the table differs from commander's name of the option
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

/** Puts the options of a table under a heading in the help. */
export function grouped<Table extends OptionTable>(heading: string, table: Table): Table {
  for (const { options } of Object.values(table)) {
    for (const declared of options) declared.helpGroup(heading);
  }
  return table;
}

/** Forbids an option beside others. Those are named by their keys in the table. */
export function conflicting<Value>(spec: OptionSpec<Value>, ...others: string[]): OptionSpec<Value> {
  for (const declared of spec.options) declared.conflicts(others);
  return spec;
}

/** Shows an option in the short help (`-h`), too. Of a flag and its negation, the short help shows the flag. */
export function common<Value>(spec: OptionSpec<Value>): OptionSpec<Value> {
  const [declared] = spec.options;
  if (declared !== undefined) declared.isCommon = true;
  return spec;
}

/** Reads a value. Commander adds the name of the option to the message. */
function reading<Value>(parse: Parser<Value>, text: string): Value {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof ValueError) throw new InvalidArgumentError(error.message);
    throw error;
  }
}
