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

/**
 * One option of a command: its flags, its help, its parser and the type of its value. Commander's objects are made only when
 * they are needed: most command lines have few of many options.
 */
export class OptionSpec<Value> {
  /** The flags of the option, or of a flag and its negation. */
  readonly flags: readonly string[];
  readonly repeatable: boolean;
  /** The value if the user does not give the option. */
  readonly byDefault: Value | undefined;
  readonly #make: () => readonly DeclaredOption[];
  /** Undefined: there are none. Most options have none, so that a start makes no list for each of them. */
  #changes: ((declared: DeclaredOption, nth: number) => void)[] | undefined;
  /** The heading in the help. Undefined: that of commander. */
  heading: string | undefined;
  #options: readonly DeclaredOption[] | undefined;
  /** It exists only in the type: {@link ValuesOf} reads it. */
  declare readonly value?: Value;

  constructor(
    flags: readonly string[],
    make: () => readonly DeclaredOption[],
    { repeatable = true, byDefault }: { readonly repeatable?: boolean; readonly byDefault?: Value | undefined } = {},
  ) {
    this.flags = flags;
    this.repeatable = repeatable;
    this.byDefault = byDefault;
    this.#make = make;
  }

  /** One option, or a flag and its negation. */
  get options(): readonly DeclaredOption[] {
    if (this.#options === undefined) {
      this.#options = this.#make();
      for (const declared of this.#options) if (this.heading !== undefined) declared.helpGroup(this.heading);
      for (const change of this.#changes ?? []) this.#options.forEach(change);
    }
    return this.#options;
  }

  /** Changes the options when they are made. @param how takes an option, and its place in {@link options} */
  change(how: (declared: DeclaredOption, nth: number) => void): this {
    (this.#changes ??= []).push(how);
    return this;
  }
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
  const make = (): DeclaredOption[] => {
    const declared = new DeclaredOption(flags, help).argParser((text) => reading(parse, text));
    declared.completes = parse.completes;
    if (byDefault !== undefined) {
      const shown = typeof byDefault === 'object' ? Object.values(byDefault as object).join(':') : String(byDefault);
      declared.default(byDefault, shown);
    }
    return [declared];
  };
  return new OptionSpec([flags], make, { repeatable: false, byDefault });
}

/** Declares an option with a value that the user may give several times. */
export function repeatable<Value>(
  flags: string,
  help: string,
  parse: Parser<Value>,
): OptionSpec<readonly Value[] | undefined> {
  const make = (): DeclaredOption[] => {
    const declared = new DeclaredOption(flags, `${help} (repeatable)`);
    declared.completes = parse.completes;
    declared.argParser<readonly Value[] | undefined>((text, before) => [...(before ?? []), reading(parse, text)]);
    return [declared];
  };
  return new OptionSpec([flags], make);
}

/** Declares an option without a value. It is undefined unless the user gives it. */
export function flag(flags: string, help: string): OptionSpec<true | undefined> {
  return new OptionSpec([flags], () => [new DeclaredOption(flags, help)]);
}

/** Declares a flag that turns something off. It is true unless the user gives the flag. */
export function unlessFlag(flags: string, help: string): OptionSpec<boolean> {
  return new OptionSpec([flags], () => [new DeclaredOption(flags, help)], { byDefault: true });
}

/** Declares a flag and its negation. The value is undefined unless the user gives one of them. */
export function toggle(
  flags: string,
  negation: string,
  help: string,
  negationHelp: string,
): OptionSpec<boolean | undefined> {
  const make = (): DeclaredOption[] => [new DeclaredOption(flags, help), new DeclaredOption(negation, negationHelp)];
  return new OptionSpec([flags, negation], make);
}

/**
 * Adds the options of a table to a command. To give an option twice is a usage error, unless it is repeatable.
 *
 * @param words the words of the command line: then only options that may be among them are added, and the defaults of the others
 * @throws {Error} if a key of the table differs from commander's name of the option
 */
export function addOptions(command: Command, table: OptionTable, words?: readonly string[]): void {
  const given = words?.filter((word) => word.startsWith('-')).map((word) => word.replace(/=.*$/s, ''));
  for (const [name, spec] of Object.entries(table)) {
    if (given === undefined || given.some((word) => mayBe(word, spec.flags))) addOption(command, name, spec);
    else if (spec.byDefault !== undefined) command.setOptionValueWithSource(name, spec.byDefault, 'default');
  }
}

/** Whether a word of the command line may give an option. `-xw` may be `-x -w`, and `-w2s` may be `-w 2s`. */
function mayBe(word: string, flags: readonly string[]): boolean {
  return flags.some((text) => {
    if (word.startsWith('--')) return text.includes(word);
    const letter = text[1] ?? '-';
    // Commander takes -5 as a number and not as an option, unless there is an option of a digit.
    return letter !== '-' && (word.includes(letter) || (/\d/.test(letter) && /\d/.test(word)));
  });
}

function addOption(command: Command, name: string, { options, repeatable }: OptionSpec<unknown>): void {
  for (const declared of options) {
    if (declared.attributeName() !== name) throw new Error(`option ${declared.flags} is called ${name} in its table`);
    command.addOption(declared);
  }
  const [declared] = options;
  if (declared === undefined || repeatable) return;
  let isGiven = false;
  command.on(`option:${declared.name()}`, () => {
    if (isGiven) command.error(`error: option '${declared.flags}' may stand only once`);
    isGiven = true;
  });
}

/** Puts the options of a table under a heading in the help. */
export function grouped<Table extends OptionTable>(heading: string, table: Table): Table {
  for (const spec of Object.values(table)) spec.heading = heading;
  return table;
}

/** Forbids an option beside others. Those are named by their keys in the table. */
export function conflicting<Value>(spec: OptionSpec<Value>, ...others: string[]): OptionSpec<Value> {
  return spec.change((declared) => declared.conflicts(others));
}

/** Shows an option in the short help (`-h`), too. Of a flag and its negation, the short help shows the flag. */
export function common<Value>(spec: OptionSpec<Value>): OptionSpec<Value> {
  return spec.change((declared, nth) => {
    declared.isCommon = nth === 0;
  });
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
