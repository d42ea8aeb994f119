import { isUtf8 } from 'node:buffer';
import { dirname, resolve } from 'node:path';
import type { InferOutput } from 'valibot';
import type { Document, LineCounter } from 'yaml';
import { decodeBase64, EncodingError } from '../text/encoding.js';
import { readPayloadFile } from '../input/payload.js';
import { describeSystemError, ValueError } from '../net/errors.js';
import { MAX_PAYLOAD_BYTES } from '../net/index.js';
import { matchExact, matchHex, type Matcher, matchPeer, matchRegex, matchSize, type RegexMatcher } from './matcher.js';
import type { Rule, RuleAnswer } from './rule.js';
import { checkPayloadSize, fixedTemplate, parseTemplate, type Template } from './template.js';
import { LocalFailure } from '../text/failure.js';
import { UsageError } from '../cli/usage-error.js';
import { parseSizeRange } from '../check/expectation.js';
import { parseAddressBlock } from '../guard/access-list.js';
import { parseDurationOrZero } from '../text/duration.js';

/** More is no file of rules but a mistake. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Reads a file of rules, and the files that it answers with.
 *
 * @returns the rules in order, the default last
 * @throws {LocalFailure} for a file that cannot be read; {@link UsageError} for what is wrong in it, with the line
 */
export async function readRules(path: string): Promise<readonly Rule[]> {
  const bytes = await readFile(path, MAX_FILE_BYTES);
  if (bytes.length > MAX_FILE_BYTES) throw new UsageError(`${path}: it is larger than rules may be, 1 MiB`);
  if (!isUtf8(bytes)) throw new UsageError(`${path}: it is not UTF-8 text`);
  const [{ LineCounter, parseDocument, visit }, { safeParse }, schema] = await Promise.all([
    import('yaml'),
    import('valibot'),
    makeSchema(),
  ]);
  const lines = new LineCounter();
  // Every value is text, as it stands: 0102 is four digits, and no is a word.
  const document = parseDocument(Buffer.from(bytes).toString('utf8'), {
    schema: 'failsafe',
    lineCounter: lines,
    prettyErrors: false,
    logLevel: 'silent',
  });
  const source = new RulesSource(path, document, lines);
  const [broken] = [...document.errors, ...document.warnings];
  if (broken !== undefined) throw source.errorAt(broken.pos[0], broken.message);
  visit(document, {
    Alias: (_key, alias) => {
      if (alias.resolve(document) !== undefined) return;
      throw source.errorAt(
        alias.range?.[0] ?? 0,
        `*${alias.source} stands for nothing that was named &${alias.source} before`,
      );
    },
  });
  const { output, issues, success } = safeParse(schema, source.values(), { abortEarly: true });
  if (success) return Promise.all(rulesOf(output, source));
  const [issue] = issues;
  throw source.error(
    (issue.path ?? []).map(({ key }) => key as string | number),
    issue.message,
  );
}

/** At most one byte more than `limitBytes`. */
async function readFile(path: string, limitBytes: number): Promise<Uint8Array> {
  try {
    return await readPayloadFile(path, limitBytes);
  } catch (cause) {
    throw new LocalFailure(`cannot read ${path}: ${describeSystemError(cause)}`, { cause });
  }
}

/** Where something stands in the file: keys and places in lists, from the outermost on. */
type Path = readonly (string | number)[];

/** The file, for whoever tells what is wrong in it. */
class RulesSource {
  readonly path: string;
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(path: string, document: Document, lines: LineCounter) {
    this.path = path;
    this.#document = document;
    this.#lines = lines;
  }

  /** What the file holds. @throws {UsageError} for aliases that would fill the memory */
  values(): unknown {
    try {
      return this.#document.toJS({ maxAliasCount: 100 });
    } catch (error) {
      throw this.error([], error instanceof Error ? error.message : String(error));
    }
  }

  error(path: Path, reason: string): UsageError {
    const where = path.map((key) => (typeof key === 'number' ? `[${key + 1}]` : `.${key}`)).join('');
    return this.errorAt(this.#offsetOf(path), where === '' ? reason : `${where.slice(1)}: ${reason}`);
  }

  errorAt(offset: number, reason: string): UsageError {
    const { line } = this.#lines.linePos(offset);
    return new UsageError(`${this.path}:${Math.max(line, 1)}: ${reason.replace(/\s*\n\s*/g, ' ')}`);
  }

  /** Of the innermost part of a path that is there. */
  #offsetOf(path: Path): number {
    for (let depth = path.length; depth >= 0; depth -= 1) {
      const node = this.#document.getIn(path.slice(0, depth), true) as { range?: readonly number[] } | undefined;
      if (node?.range !== undefined) return node.range[0] ?? 0;
    }
    return 0;
  }

  /** The text that stands there, if it is one. */
  #quote(path: Path): string {
    const value = this.#document.getIn(path);
    if (typeof value !== 'string') return '';
    return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value)}: `;
  }

  /** What `read` makes of something in the file, of which what it throws for a bad value tells. */
  async read<Value>(path: Path, read: () => Value | Promise<Value>): Promise<Value> {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof EncodingError || error instanceof ValueError)) throw error;
      throw this.error(path, `${this.#quote(path)}${error.message}`);
    }
  }
}

/** The shape of the file; what its texts mean is read later. */
async function makeSchema() {
  const v = await import('valibot');
  const text = v.string('it must be text');
  const listOf = <Item extends Parameters<typeof v.array>[0]>(item: Item) => v.array(item, 'it must be a list');
  /** A mapping with these keys and no others. */
  const mapping = <Entries extends Parameters<typeof v.strictObject>[0]>(what: string, entries: Entries) =>
    v.strictObject(entries, ({ expected, received }) => {
      const keys = Object.keys(entries).join(', ');
      if (expected === 'never') return `${received} is no key of ${what}; ${keys} are`;
      if (expected === 'Object') return `${what} must have keys: ${keys}`;
      return `${what} needs ${expected}`;
    });
  const PAYLOADS = ['text', 'hex', 'base64', 'file'] as const;
  const answer = v.pipe(
    mapping('an answer', {
      text: v.optional(text),
      hex: v.optional(text),
      base64: v.optional(text),
      file: v.optional(text),
      delay: v.optional(text),
    }),
    v.check((given) => countOf(given, PAYLOADS) === 1, `an answer needs one of ${PAYLOADS.join(', ')}`),
  );
  const written = v.lazy<typeof text | typeof answer>((input) => (typeof input === 'string' ? text : answer));
  const what = {
    answer: v.optional(written),
    answers: v.optional(
      v.pipe(listOf(written), v.minLength(1, 'it is empty; none: true is how a rule answers nothing')),
    ),
    none: v.optional(v.literal('true', 'it must be true')),
  };
  const ANSWERS = ['answer', 'answers', 'none'] as const;
  const hasOne = (given: Readonly<Record<string, unknown>>): boolean => countOf(given, ANSWERS) === 1;
  const one = `it needs one of ${ANSWERS.join(', ')}`;
  const CONDITIONS = ['exact', 'hex', 'regex', 'size', 'peer'] as const;
  const when = v.pipe(
    mapping('a condition', {
      exact: v.optional(text),
      hex: v.optional(text),
      regex: v.optional(text),
      size: v.optional(text),
      peer: v.optional(
        v.union(
          [text, v.pipe(listOf(text), v.minLength(1, 'it is empty, so no peer would match'))],
          'it must be an address block, or a list of them',
        ),
      ),
    }),
    v.check((given) => countOf(given, CONDITIONS) > 0, `it needs one of ${CONDITIONS.join(', ')}`),
  );
  return v.pipe(
    mapping('a file of rules', {
      rules: listOf(
        v.pipe(
          mapping('a rule', { when, ...what }),
          v.check((given) => hasOne(given), one),
        ),
      ),
      default: v.optional(
        v.pipe(
          mapping('the default', what),
          v.check((given) => hasOne(given), one),
        ),
      ),
    }),
    v.forward(
      v.check(
        (given) => given.rules.length > 0 || given.default !== undefined,
        'it is empty, and there is no default, so nothing would be answered',
      ),
      ['rules'],
    ),
  );
}

function countOf(given: Readonly<Record<string, unknown>>, keys: readonly string[]): number {
  return keys.filter((key) => given[key] !== undefined).length;
}

type Written = InferOutput<Awaited<ReturnType<typeof makeSchema>>>;
type WrittenRule = Written['rules'][number];
type WrittenAnswer = NonNullable<WrittenRule['answer']>;

function rulesOf({ rules, default: otherwise }: Written, source: RulesSource): readonly Promise<Rule>[] {
  return [
    ...rules.map((rule, index) => readRule(rule, ['rules', index], source)),
    ...(otherwise === undefined ? [] : [readRule(otherwise, ['default'], source)]),
  ];
}

async function readRule(
  { when, answer, answers = [] }: Omit<WrittenRule, 'when'> & Partial<WrittenRule>,
  path: Path,
  source: RulesSource,
): Promise<Rule> {
  const { matchers, regex } = await readConditions(when ?? {}, [...path, 'when'], source);
  const written =
    answer === undefined
      ? answers.map((each, index) => ({ each, at: [...path, 'answers', index] }))
      : [{ each: answer, at: [...path, 'answer'] }];
  const read = written.map(({ each, at }) => readAnswer(each, at, regex, source));
  return { matchers, answers: await Promise.all(read) };
}

/** The cheapest first. */
async function readConditions(
  { exact, hex, regex, size, peer }: Partial<WrittenRule['when']>,
  path: Path,
  source: RulesSource,
): Promise<{ readonly matchers: readonly Matcher[]; readonly regex: RegexMatcher | undefined }> {
  const matchers: Matcher[] = [];
  const add = async <Kind extends Matcher>(key: string, make: () => Kind | Promise<Kind>): Promise<Kind> => {
    const matcher = await source.read([...path, key], make);
    matchers.push(matcher);
    return matcher;
  };
  if (size !== undefined) await add('size', () => matchSize(parseSizeRange(size)));
  if (peer !== undefined) await add('peer', () => matchPeer([peer].flat().map(parseAddressBlock)));
  if (exact !== undefined) await add('exact', () => matchExact(exact));
  if (hex !== undefined) await add('hex', () => matchHex(hex));
  return { matchers, regex: regex === undefined ? undefined : await add('regex', () => matchRegex(regex)) };
}

async function readAnswer(
  written: WrittenAnswer,
  path: Path,
  regex: RegexMatcher | undefined,
  source: RulesSource,
): Promise<RuleAnswer> {
  if (typeof written === 'string') {
    return { template: await source.read(path, () => parseTemplate(written, 'utf8', regex)), delayMs: 0 };
  }
  const { text, hex, base64, file, delay } = written;
  const read = (key: string, make: () => Template | Promise<Template>) => source.read([...path, key], make);
  const delayMs = delay === undefined ? 0 : await source.read([...path, 'delay'], () => parseDurationOrZero(delay));
  if (text !== undefined) return { delayMs, template: await read('text', () => parseTemplate(text, 'utf8', regex)) };
  if (hex !== undefined) return { delayMs, template: await read('hex', () => parseTemplate(hex, 'hex', regex)) };
  if (base64 !== undefined) return { delayMs, template: await read('base64', () => fixed(decodeBase64(base64))) };
  // A name counts from where the rules stand, wherever the command was started.
  const name = resolve(dirname(source.path), file ?? '');
  return { delayMs, template: await read('file', async () => fixed(await readFile(name, MAX_PAYLOAD_BYTES[6]))) };
}

/** @throws {EncodingError} for more than a datagram holds */
function fixed(payload: Uint8Array): Template {
  checkPayloadSize(payload);
  return fixedTemplate(payload);
}
