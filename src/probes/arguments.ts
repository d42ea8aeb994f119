/** An argument of a probe that cannot be used; the message says what is accepted. */
export class ArgumentError extends Error {
  override readonly name = 'ArgumentError';
}

/** One argument of a probe, declared once: what it means, how it is read, and the type of its value. */
export interface ArgumentSpec<Value> {
  readonly help: string;
  /** A value that shows how it is written. */
  readonly example: string;
  /** What stands for it when it is not given, as text; undefined if it must be given. */
  readonly byDefault: string | undefined;
  /** Whether it is a secret, which may be given by the name of an environment variable: `env:NAME`. */
  readonly secret: boolean;
  /** @throws {ArgumentError} */
  read(text: string): Value;
}

/** The arguments of a probe by name, in the order in which they may be given without it. */
export type ArgumentTable = Readonly<Record<string, ArgumentSpec<unknown>>>;

/** The values that a table of arguments stands for. */
export type ArgumentValues<Table extends ArgumentTable> = {
  readonly [Name in keyof Table]: Table[Name] extends ArgumentSpec<infer Value> ? Value : never;
};

/** An argument that must be given; `example` shows how. */
export function required<Value>(help: string, read: (text: string) => Value, example: string): ArgumentSpec<Value> {
  return { help, example, byDefault: undefined, secret: false, read };
}

/** An argument that `byDefault` stands for when it is not given. */
export function optional<Value>(help: string, read: (text: string) => Value, byDefault: string): ArgumentSpec<Value> {
  return { help, example: byDefault, byDefault, secret: false, read };
}

/** Marks an argument as a secret: `env:NAME` names the environment variable that holds it, so that `ps` does not show it. */
export function secret<Value>(spec: ArgumentSpec<Value>): ArgumentSpec<Value> {
  return { ...spec, secret: true };
}

/**
 * Reads what stands behind the name of a probe: `example.com,AAAA` in the order of the table, `type=AAAA` by name; `\,`
 * and `\\` are a comma and a backslash within a value.
 *
 * @throws {ArgumentError}
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
      // It may be part of a secret with a comma in it.
      const shown = Object.values(table).some((spec) => spec.secret) ? 'another' : JSON.stringify(piece);
      throw new ArgumentError(`it takes ${takes}, and ${shown} is one more (a comma within a value is written \\,)`);
    }
    if (named === undefined) position += 1;
    // Nothing between two commas leaves an argument at its default.
    if (piece === '') continue;
    if (given.has(name)) throw new ArgumentError(`its argument "${name}" is given twice`);
    given.set(name, named === undefined ? piece : piece.slice(named.length + 1));
  }
  return given;
}

/** Splits at commas, except at those behind a backslash. */
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
  // What is not valid UTF-8 comes with its bytes replaced.
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

/** Reads any text but none. */
export function readText(text: string): string {
  if (text === '') throw new ArgumentError('it is empty');
  return text;
}

/** A reader of whole numbers between two bounds, both included. */
export function readInteger(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
    if (!(value >= least && value <= most)) throw new ArgumentError(`it is a whole number from ${least} to ${most}`);
    return value;
  };
}

/** A reader of one word out of several, in either case. */
export function readOneOf<const Word extends string>(words: readonly Word[]): (text: string) => Word {
  return (text) => {
    const word = words.find((candidate) => candidate.toLowerCase() === text.toLowerCase());
    if (word === undefined) throw new ArgumentError(`it is one of ${words.join(', ')}`);
    return word;
  };
}

/** A reader of printable ASCII without spaces, of 1 to `most` characters. */
export function readPrintable(most: number): (text: string) => string {
  return (text) => {
    if (!/^[!-~]+$/.test(text) || text.length > most)
      throw new ArgumentError(`it is 1 to ${most} printable ASCII characters, without spaces`);
    return text;
  };
}
