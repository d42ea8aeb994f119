import { isUtf8 } from 'node:buffer';
import type { Document, LineCounter } from 'yaml';
import { ValueError } from '../net/errors.js';
import { EncodingError } from '../text/encoding.js';
import { UsageError } from './usage-error.js';

/** A place in a file, for example `['rules', 0, 'answer']`: keys, and indexes in lists from 0, from the outermost on. */
export type Path = readonly (string | number)[];

/** The most aliases that are resolved: more would fill the memory. */
const MAX_ALIASES = 100;

/** Lists and mappings may lie in one another this deep. No file needs more, and the parser fails from about 1000 on. */
const MAX_NESTING = 100;
const TOO_NESTED = `lists and mappings are nested more than ${MAX_NESTING} deep here`;

/** A parsed YAML or JSON file of the user. Every value in it is text. Its errors name the line and the key. */
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
   * Parses the bytes of a file.
   *
   * @throws {UsageError} if they are no YAML; the message names the line
   */
  static async parse(path: string, bytes: Uint8Array): Promise<YamlFile> {
    if (!isUtf8(bytes)) throw new UsageError(`${path}: it is not UTF-8 text`);
    const { isAlias, isCollection, isNode, isScalar, LineCounter, parseDocument, visit } =
      await import('./vendor/yaml.js');
    const lines = new LineCounter();
    // The schema "failsafe" reads every value as text. Others would read 0102 as a number, and "no" as false.
    const document = parseDocument(Buffer.from(bytes).toString('utf8'), {
      schema: 'failsafe',
      resolveKnownTags: false,
      lineCounter: lines,
      prettyErrors: false,
      logLevel: 'silent',
    });
    const file = new YamlFile(path, document, lines);
    const [broken] = [...document.errors, ...document.warnings];
    if (broken !== undefined) {
      // The parser calls itself for each level, and says with this code that the stack is used up.
      const isNested = broken.code === 'RESOURCE_EXHAUSTION';
      throw file.errorAt(broken.pos[0], isNested ? TOO_NESTED : broken.message);
    }
    visit(document, {
      Collection: (_key, node, ancestors) => {
        if (ancestors.filter(isCollection).length >= MAX_NESTING) throw file.errorAt(node.range?.[0] ?? 0, TOO_NESTED);
      },
      Alias: (_key, alias) => {
        if (alias.resolve(document) !== undefined) return;
        throw file.errorAt(alias.range?.[0] ?? 0, `no value before *${alias.source} is named &${alias.source}`);
      },
      Pair: (_pairKey, { key }) => {
        const target = isAlias(key) ? key.resolve(document) : key;
        if (!isNode(key) || !isNode(target) || isScalar(target)) return;
        throw file.errorAt(key.range?.[0] ?? 0, 'a key is text, not a list or a map');
      },
    });
    return file;
  }

  /** Returns the contents: texts, arrays, objects. @throws {UsageError} if aliases multiply to more than memory should hold */
  values(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: MAX_ALIASES });
    } catch (error) {
      throw this.error([], error instanceof Error ? error.message : String(error));
    }
  }

  /** Makes the error about a path: `FILE:LINE: rules[2].when.size: REASON`. */
  error(path: Path, reason: string): UsageError {
    const where = formatPath(path);
    return this.errorAt(this.#offsetOf(path), where === '' ? reason : `${where}: ${reason}`);
  }

  /** Describes a path and its line: `targets[2] in line 7`. */
  describe(path: Path): string {
    const { line } = this.#lines.linePos(this.#offsetOf(path));
    return `${formatPath(path)} in line ${line}`;
  }

  /** Makes the error about the line at an offset. */
  errorAt(offset: number, reason: string): UsageError {
    const { line } = this.#lines.linePos(offset);
    return new UsageError(`${this.path}:${Math.max(line, 1)}: ${reason.replace(/\s*\n\s*/g, ' ')}`);
  }

  /** Returns the offset of the value at a path. If there is no such value, that of the innermost value around it. */
  #offsetOf(path: Path): number {
    for (let depth = path.length; depth >= 0; depth -= 1) {
      const node = this.#document.getIn(path.slice(0, depth), true) as { range?: readonly number[] } | undefined;
      if (node?.range !== undefined) return node.range[0] ?? 0;
    }
    return 0;
  }

  /** Returns the text at a path, shortened and in quotes, with a colon. Empty if the value there is no text. */
  #quote(path: Path): string {
    const value = this.#document.getIn(path);
    if (typeof value !== 'string') return '';
    return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)}: `;
  }

  /**
   * Returns what `read` returns.
   *
   * @throws {UsageError} if `read` throws {@link ValueError} or {@link EncodingError}; it names the path and its line
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

/** Formats a path for users, who count from 1: `rules[2].when.size`. */
function formatPath(path: Path): string {
  return path
    .map((key) => (typeof key === 'number' ? `[${key + 1}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');
}
