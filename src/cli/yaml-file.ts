import { isUtf8 } from 'node:buffer';
import type { Document, LineCounter } from 'yaml';
import { ValueError } from '../net/errors.js';
import { EncodingError } from '../text/encoding.js';
import { UsageError } from './usage-error.js';

/** A place in a file: keys, and numbers in lists from 0, from the outermost on. */
export type Path = readonly (string | number)[];

/** Aliases that are resolved at most: more would fill the memory. */
const MAX_ALIASES = 100;

/** A YAML or JSON file of a user, for errors that name the line and the key. Every value in it is text as it stands. */
export class YamlFile {
  readonly path: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  private constructor(path: string, document: Document, lines: LineCounter) {
    this.path = path;
    this.#document = document;
    this.#lines = lines;
  }

  /**
   * Parses a file that was read.
   *
   * @throws {UsageError} for bytes that are no YAML, with the line
   */
  static async parse(path: string, bytes: Uint8Array): Promise<YamlFile> {
    if (!isUtf8(bytes)) throw new UsageError(`${path}: it is not UTF-8 text`);
    const { LineCounter, parseDocument, visit } = await import('yaml');
    const lines = new LineCounter();
    // The schema without types: 0102 is four digits, and no is a word.
    const document = parseDocument(Buffer.from(bytes).toString('utf8'), {
      schema: 'failsafe',
      lineCounter: lines,
      prettyErrors: false,
      logLevel: 'silent',
    });
    const file = new YamlFile(path, document, lines);
    const [broken] = [...document.errors, ...document.warnings];
    if (broken !== undefined) throw file.errorAt(broken.pos[0], broken.message);
    visit(document, {
      Alias: (_key, alias) => {
        if (alias.resolve(document) !== undefined) return;
        const why = `*${alias.source} stands for nothing that was named &${alias.source} before`;
        throw file.errorAt(alias.range?.[0] ?? 0, why);
      },
    });
    return file;
  }

  /** The content: texts, arrays and objects. @throws {UsageError} for aliases that would fill the memory */
  values(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      throw this.error([], error instanceof Error ? error.message : String(error));
    }
  }

  /** The error about a place: `FILE:LINE: rules[2].when.size: REASON`. */
  error(path: Path, reason: string): UsageError {
    const where = formatPath(path);
    return this.errorAt(this.#offsetOf(path), where === '' ? reason : `${where}: ${reason}`);
  }

  /** A place in words, with its line: `targets[2] in line 7`. */
  describe(path: Path): string {
    const { line } = this.#lines.linePos(this.#offsetOf(path));
    return `${formatPath(path)} in line ${line}`;
  }

  /** The error about the line that holds a character of the text. */
  errorAt(offset: number, reason: string): UsageError {
    const { line } = this.#lines.linePos(offset);
    return new UsageError(`${this.path}:${Math.max(line, 1)}: ${reason.replace(/\s*\n\s*/g, ' ')}`);
  }

  /** Where the innermost part of a path begins that is there. A key stands for its pair, whatever its value. */
  #offsetOf(path: Path): number {
    for (let depth = path.length; depth >= 0; depth -= 1) {
      const node = this.#document.getIn(path.slice(0, depth), true) as { range?: readonly number[] } | undefined;
      if (node?.range !== undefined) return node.range[0] ?? 0;
    }
    return 0;
  }

  /** The text at a place, quoted, for an error about it; empty if there is no text. */
  #quote(path: Path): string {
    const value = this.#document.getIn(path);
    if (typeof value !== 'string') return '';
    return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)}: `;
  }

  /**
   * Returns what `read` makes of a value.
   *
   * @throws {UsageError} with the place, if `read` throws {@link ValueError} or {@link EncodingError}
   */
  async read<Value>(path: Path, read: () => Value | Promise<Value>): Promise<Value> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof EncodingError || error instanceof ValueError)) throw error;
      throw this.error(path, `${this.#quote(path)}${error.message}`);
    }
  }
}

/** A place as users read it, with numbers from 1: `rules[2].when.size`. */
function formatPath(path: Path): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key + 1}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');
}
