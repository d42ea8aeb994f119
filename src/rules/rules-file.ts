import { dirname, resolve } from 'node:path';
import type { InferOutput } from 'valibot';
import { decodeBase64 } from '../text/encoding.js';
import { readPayloadFile } from '../input/payload.js';
import { describeSystemError } from '../net/errors.js';
import { MAX_PAYLOAD_BYTES } from '../net/index.js';
import {
  matchExact,
  matchHex,
  type Matcher,
  matchPeer,
  matchRegex,
  matchRegexBytes,
  matchSize,
  type RegexMatcher,
} from './matcher.js';
import type { Rule, RuleResponse } from './rule.js';
import { checkPayloadSize, fixedTemplate, parseTemplate, type Template } from './template.js';
import { LocalFailure } from '../text/failure.js';
import { UsageError } from '../cli/usage-error.js';
import { type Path, YamlFile } from '../cli/yaml-file.js';
import { parseSizeRange } from '../check/expectation.js';
import { parseAddressBlock } from '../guard/access-list.js';
import { parseDurationOrZero } from '../text/duration.js';
import { parseCount } from '../text/number.js';

/** A larger file is taken for a mistake, and is not read. */
const MAX_FILE_BYTES = 1024 * 1024;

/**
 * Reads a file of rules, and the files whose bytes the rules respond with.
 *
 * @param path Of a YAML file of at most 1 MiB. Paths in the file are relative to its folder.
 * @param signal ends the reading of pipes
 * @returns the rules in the order of the file, the default last
 * @throws {LocalFailure} if a file cannot be read
 * @throws {UsageError} if the file is no valid file of rules; the message names the line
 */
export async function readRules(path: string, signal?: AbortSignal): Promise<readonly Rule[]> {
  const bytes = await readFile(path, MAX_FILE_BYTES, signal);
  if (bytes.length > MAX_FILE_BYTES)
    throw new UsageError(`${path}: it is larger than 1 MiB, the limit of a file of rules`);
  const [source, { safeParse }, schema] = await Promise.all([
    YamlFile.parse(path, bytes),
    import('./vendor/valibot.js'),
    makeSchema(),
  ]);
  const { output, issues, success } = safeParse(schema, source.values(), { abortEarly: true });
  if (success) return Promise.all(rulesOf(output, { source, signal }));
  const [issue] = issues;
  throw source.error(
    (issue.path ?? []).map(({ key }) => key as string | number),
    issue.message,
  );
}

/** Reads a file. Returns at most `limitBytes` + 1 bytes, so that the caller can tell that the file is too large. */
async function readFile(path: string, limitBytes: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
  try {
    return await readPayloadFile(path, limitBytes, signal);
  } catch (cause) {
    throw new LocalFailure(`cannot read ${path}: ${describeSystemError(cause)}`, { cause });
  }
}

/** Makes the schema of the file: which keys there are. The texts in them are read after this check. */
async function makeSchema() {
  const v = await import('./vendor/valibot.js');
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
  const response = v.pipe(
    mapping('an answer', {
      text: v.optional(text),
      hex: v.optional(text),
      base64: v.optional(text),
      file: v.optional(text),
      delay: v.optional(text),
    }),
    v.check((given) => countOf(given, PAYLOADS) === 1, `an answer needs one of ${PAYLOADS.join(', ')}`),
  );
  const written = v.lazy<typeof text | typeof response>((input) => (typeof input === 'string' ? text : response));
  const responses = {
    answer: v.optional(written),
    answers: v.optional(
      v.pipe(listOf(written), v.minLength(1, 'it is empty; none: true makes a rule that does not answer')),
    ),
    none: v.optional(v.literal('true', 'it must be true')),
  };
  const RESPONSES = ['answer', 'answers', 'none'] as const;
  const hasOne = (given: Readonly<Record<string, unknown>>): boolean => countOf(given, RESPONSES) === 1;
  const one = `it needs one of ${RESPONSES.join(', ')}`;
  const CONDITIONS = ['exact', 'hex', 'regex', 'regexBytes', 'size', 'peer'] as const;
  const when = v.pipe(
    mapping('a condition', {
      exact: v.optional(text),
      hex: v.optional(text),
      regex: v.optional(text),
      regexBytes: v.optional(text),
      size: v.optional(text),
      peer: v.optional(
        v.union(
          [text, v.pipe(listOf(text), v.minLength(1, 'it is empty, so no peer would match'))],
          'it must be an address block, or a list of them',
        ),
      ),
    }),
    v.check((given) => countOf(given, CONDITIONS) > 0, `it needs one of ${CONDITIONS.join(', ')}`),
    v.check(
      ({ regex, regexBytes }) => regex === undefined || regexBytes === undefined,
      'it has regex and regexBytes; give one of them',
    ),
  );
  return v.pipe(
    mapping('a file of rules', {
      rules: listOf(
        v.pipe(
          mapping('a rule', { when, times: v.optional(text), ...responses }),
          v.check((given) => hasOne(given), one),
        ),
      ),
      default: v.optional(
        v.pipe(
          mapping('the default', responses),
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
type WrittenResponse = NonNullable<WrittenRule['answer']>;

/** The file of rules that is being read. */
interface Reading {
  readonly source: YamlFile;
  /** Ends the reading of pipes. Default: nothing ends it. */
  readonly signal: AbortSignal | undefined;
}

function rulesOf({ rules, default: otherwise }: Written, reading: Reading): readonly Promise<Rule>[] {
  return [
    ...rules.map((rule, index) => readRule(rule, ['rules', index], reading)),
    ...(otherwise === undefined ? [] : [readRule(otherwise, ['default'], reading)]),
  ];
}

async function readRule(
  { when, times, answer, answers = [] }: Omit<WrittenRule, 'when'> & Partial<WrittenRule>,
  path: Path,
  reading: Reading,
): Promise<Rule> {
  const { source } = reading;
  const { matchers, regex } = await readConditions(when ?? {}, [...path, 'when'], source);
  const written =
    answer === undefined
      ? answers.map((each, index) => ({ each, at: [...path, 'answers', index] }))
      : [{ each: answer, at: [...path, 'answer'] }];
  const read = written.map(({ each, at }) => readResponse(each, at, regex, reading));
  return {
    matchers,
    responses: await Promise.all(read),
    times: times === undefined ? undefined : await source.read([...path, 'times'], () => parseCount(times)),
  };
}

/** Makes the conditions of a rule. The cheapest come first, because the first that fails ends the check. */
async function readConditions(
  { exact, hex, regex, regexBytes, size, peer }: Partial<WrittenRule['when']>,
  path: Path,
  source: YamlFile,
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
  if (regex !== undefined) return { matchers, regex: await add('regex', () => matchRegex(regex)) };
  if (regexBytes === undefined) return { matchers, regex: undefined };
  return { matchers, regex: await add('regexBytes', () => matchRegexBytes(regexBytes)) };
}

async function readResponse(
  written: WrittenResponse,
  path: Path,
  regex: RegexMatcher | undefined,
  { source, signal }: Reading,
): Promise<RuleResponse> {
  if (typeof written === 'string') {
    return { template: await source.read(path, () => parseTemplate(written, 'utf8', regex)), delayMs: 0 };
  }
  const { text, hex, base64, file, delay } = written;
  const read = (key: string, make: () => Template | Promise<Template>) => source.read([...path, key], make);
  const delayMs = delay === undefined ? 0 : await source.read([...path, 'delay'], () => parseDurationOrZero(delay));
  if (text !== undefined) return { delayMs, template: await read('text', () => parseTemplate(text, 'utf8', regex)) };
  if (hex !== undefined) return { delayMs, template: await read('hex', () => parseTemplate(hex, 'hex', regex)) };
  if (base64 !== undefined) return { delayMs, template: await read('base64', () => fixed(decodeBase64(base64))) };
  // A relative path is relative to the folder of the rules, not to the working directory.
  const name = resolve(dirname(source.path), file ?? '');
  return {
    delayMs,
    template: await read('file', async () => fixed(await readFile(name, MAX_PAYLOAD_BYTES[6], signal))),
  };
}

/** @throws {EncodingError} if the payload is larger than a datagram can hold */
function fixed(payload: Uint8Array): Template {
  checkPayloadSize(payload);
  return fixedTemplate(payload);
}
