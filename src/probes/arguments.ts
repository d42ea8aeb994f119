/** An argument of a probe that cannot be used. The message says what is accepted. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
}

/** The declaration of one argument of a probe: its help, its reader, and the type of its value. */
export interface ArgumentSpec<Value> {
  readonly help: string;
  /** An example of its text, for help and messages. */
  readonly example: string;
  /** The text of its default. Undefined if the argument must be given. */
  readonly byDefault: string | undefined;
  /** Whether it may be missing although it has no default. Its value is then undefined. */
  readonly mayBeMissing?: true;
  /** Whether it is a secret. A secret can be given as `env:NAME`, and is never shown in messages. */
  readonly secret: boolean;
  /** Reads its text. @throws {ArgumentError} if the text is not accepted */
  read(text: string): Value;
}

/** The arguments of a probe by name. Their order is that of arguments without a name. */
export type ArgumentTable = Readonly<Record<string, ArgumentSpec<unknown>>>;

/** The types of the values of a table of arguments. */
export type ArgumentValues<Table extends ArgumentTable> = {
  readonly [Name in keyof Table]: Table[Name] extends ArgumentSpec<infer Value> ? Value : never;
};

/** Declares an argument that must be given. @param example an example of its text */
export function required<Value>(help: string, read: (text: string) => Value, example: string): ArgumentSpec<Value> {
  return { help, example, byDefault: undefined, secret: false, read };
}

/** Declares an argument with a default. @param byDefault the text of the default */
export function optional<Value>(help: string, read: (text: string) => Value, byDefault: string): ArgumentSpec<Value> {
  return { help, example: byDefault, byDefault, secret: false, read };
}

/** Declares an argument without a default. If it is not given, its value is undefined. @param example an example of its text */
export function optionalWithoutDefault<Value>(
  help: string,
  read: (text: string) => Value,
  example: string,
): ArgumentSpec<Value | undefined> {
  return { help, example, byDefault: undefined, mayBeMissing: true, secret: false, read };
}

/**
 * Marks an argument as a secret. With `env:NAME` it is read from an environment variable, so that `ps` does not show
 * it.
 */
export function secret<Value>(spec: ArgumentSpec<Value>): ArgumentSpec<Value> {
  return { ...spec, secret: true };
}

/**
 * Reads the arguments of a probe, for example `example.com,AAAA` (by position) or `example.com,type=AAAA` (by name).
 * Within a value `\,` is a comma, and `\\` a backslash.
 *
 * @param text The text behind the colon of `NAME:ARGUMENTS`.
 * @param env The environment, for secrets given as `env:NAME`.
 * @throws {ArgumentError} if an argument is missing, unknown, given twice or not accepted
 */
export function readArguments<Table extends ArgumentTable>(
  table: Table,
  text: string,
  env: Readonly<Record<string, string | undefined>>,
): ArgumentValues<Table> {
  const given = assign(table, text);
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const written = given.get(name) ?? spec.byDefault;
    if (written === undefined && spec.mayBeMissing === true) continue;
    if (written === undefined) throw new ArgumentError(`it needs its argument "${name}", such as ${spec.example}`);
    values[name] = readOne(name, spec, spec.secret ? fromEnvironment(name, written, env) : written);
  }
  return values as ArgumentValues<Table>;
}

function assign(table: ArgumentTable, text: string): Map<string, string> {
  const names = Object.keys(table);
  const given = new Map<string, string>();
  let position = 0;
  for (const piece of text === '' ? [] : split(text)) {
    const named = names.find((name) => piece.startsWith(`${name}=`));
    const name = named ?? names[position];
    if (name === undefined) {
      const takes = names.length === 0 ? 'no arguments' : `only ${names.join(', ')}`;
      // If the probe has a secret, the text is not shown: it may be the rest of a secret with a comma.
      const shown = Object.values(table).some((spec) => spec.secret) ? 'another' : JSON.stringify(piece);
      throw new ArgumentError(`it takes ${takes}, and ${shown} is one more (a comma within a value is written \\,)`);
    }
    if (named === undefined) position += 1;
    // An empty text between two commas leaves an argument at its default.
    if (piece === '') continue;
    if (given.has(name)) throw new ArgumentError(`its argument "${name}" is given twice`);
    given.set(name, named === undefined ? piece : piece.slice(named.length + 1));
  }
  return given;
}

/** Splits a text at commas, except at a comma behind a backslash. */
function split(text: string): string[] {
  const pieces = [''];
  for (const [part] of text.matchAll(/\\[\\,]|[^]/gu)) {
    if (part === ',') pieces.push('');
    else pieces.push((pieces.pop() ?? '') + (part.length === 2 && part.startsWith('\\') ? part.slice(1) : part));
  }
  return pieces;
}

function fromEnvironment(name: string, written: string, env: Readonly<Record<string, string | undefined>>): string {
  const [, variable] = /^env:(.+)$/s.exec(written) ?? [];
  if (variable === undefined) return written;
  const value = env[variable];
  if (value === undefined || value === '')
    throw new ArgumentError(`its argument "${name}" names the environment variable ${variable}, which is not set`);
  // Node replaces bytes that are not valid UTF-8 by U+FFFD.
  if (value.includes('\u{fffd}'))
    throw new ArgumentError(`its argument "${name}" is no valid UTF-8 in the environment variable ${variable}`);
  return value;
}

function readOne(name: string, spec: ArgumentSpec<unknown>, text: string): unknown {
  try {
    return spec.read(text);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    const shown = spec.secret ? '' : ` cannot be ${JSON.stringify(text)}`;
    throw new ArgumentError(`its argument "${name}"${shown}: ${error.message}`);
  }
}

/** Reads any text that is not empty. */
export function readText(text: string): string {
  if (text === '') throw new ArgumentError('it must not be empty');
  return text;
}

/** Makes a reader of whole numbers from `least` to `most`. */
export function readInteger(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most))
      throw new ArgumentError(`it must be a whole number from ${least} to ${most}`);
    return value;
  };
}

/** Makes a reader of one of several words. Upper and lower case are equal. */
export function readOneOf<const Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
    if (word === undefined) throw new ArgumentError(`it must be one of ${words.join(', ')}`);
    return word;
  };
}

/** Makes a reader of 1 to `most` characters of printable ASCII without spaces. */
export function readPrintable(most: number): (text: string) => string {
  return (text) => {
    if (!/^[!-~]+$/.test(text) || text.length > most)
      throw new ArgumentError(`it must be 1 to ${most} printable ASCII characters, without spaces`);
    return text;
  };
}
