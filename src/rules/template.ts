import { randomBytes } from 'node:crypto';
import { decode, EncodingError } from '../text/encoding.js';
import { formatEndpoint, MAX_PAYLOAD_BYTES } from '../net/index.js';
import { formatTime } from '../text/time.js';
import type { Captures, RegexMatcher } from './matcher.js';
import type { RuleRequest } from './rule-request.js';

/** The values that a template puts into its fields. */
export interface TemplateValues {
  /** The request that gets the response. */
  readonly request: RuleRequest;
  /** What the expression of the rule captured from it. */
  readonly captures: Captures;
  /** How often the rule has matched, this match included: from 1. */
  readonly counter: number;
}

type Part = Uint8Array | ((values: TemplateValues) => Uint8Array);

/** Makes the payload of a response. */
export type Template = (values: TemplateValues) => Uint8Array;

/** Returns a template without fields: it makes the same payload for every request. */
export function fixedTemplate(payload: Uint8Array): Template {
  return () => payload;
}

/** A doubled brace, a field in braces, or a brace that belongs to neither (an error). */
const FIELD = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;

/**
 * Reads a template, for example `hello {name}, number {counter}`. Its fields:
 *
 * - `{1}`, `{name}`: the groups that the rule's expression captured; `{0}` is its whole match
 * - `{data}`: the bytes of the request; `{data:2..5}`: some of them, counted from 0, both ends included
 * - `{counter}`: how often the rule has matched
 * - `{time}`: when the request arrived, in UTC with microseconds
 * - `{peer}`: the sender, as ADDRESS:PORT
 * - `{random:8}`: eight random bytes
 *
 * `{{` and `}}` are single braces.
 *
 * @param encoding Encoding of the text between the fields.
 * @param regex The expression of the rule, if the rule has one.
 * @throws {EncodingError} if the text is no template, or its fixed part alone is larger than a datagram can hold
 */
export function parseTemplate(written: string, encoding: 'utf8' | 'hex', regex: RegexMatcher | undefined): Template {
  const parts: Part[] = [];
  let literal = '';
  let from = 0;
  const endLiteral = (isLast: boolean): void => {
    // In hex, one separator may stand between a byte and a field, and between two fields: de:ad:{1}:{2}.
    if (encoding === 'hex' && parts.length > 0)
      literal = literal.replace(isLast ? /^\s*[:,-](?=\s*\S)/ : /^\s*[:,-]/, '');
    if (encoding === 'hex' && !isLast) literal = literal.replace(/(?<=\S\s*)[:,-]\s*$/, '');
    if (literal !== '') parts.push(decode(Buffer.from(literal, 'utf8'), encoding));
    literal = '';
  };
  for (const { 0: found, 1: field, index } of written.matchAll(FIELD)) {
    literal += written.slice(from, index);
    from = index + found.length;
    if (field !== undefined) {
      endLiteral(false);
      parts.push(parseField(field, regex));
    } else if (found.length === 2 && encoding === 'utf8') literal += found[0] ?? '';
    else throw new EncodingError(`"${found}" is no field; a brace in text is written twice, {{ or }}`);
  }
  literal += written.slice(from);
  endLiteral(true);
  return templateOf(parts);
}

function templateOf(parts: readonly Part[]): Template {
  const fixed = parts.filter((part) => typeof part !== 'function');
  const payload = Buffer.concat(fixed);
  checkPayloadSize(payload);
  if (fixed.length === parts.length) return fixedTemplate(payload);
  return (values) => Buffer.concat(parts.map((part) => (typeof part === 'function' ? part(values) : part)));
}

/** @throws {EncodingError} if the payload is larger than an IPv6 datagram can hold, 65527 bytes */
export function checkPayloadSize({ length }: Uint8Array): void {
  const limit = MAX_PAYLOAD_BYTES[6];
  if (length > limit) throw new EncodingError(`it is more than a datagram holds, ${limit} bytes`);
}

const FIELDS = '{1}, {NAME}, {data}, {data:2..5}, {counter}, {time}, {peer} and {random:8}';

function parseField(field: string, regex: RegexMatcher | undefined): Part {
  const [name = '', argument] = field.split(/:(.*)/s);
  const ofRegex = argument === undefined ? groupOf(name, regex) : undefined;
  if (ofRegex !== undefined) return ({ captures }) => bytesOf(captures[ofRegex] ?? '');
  switch (argument === undefined ? name : `${name}:`) {
    case 'data':
      return ({ request }) => request.data;
    case 'data:':
      return parseSlice(field, argument ?? '');
    case 'counter':
      return ({ counter }) => utf8(String(counter));
    case 'time':
      return ({ request }) => utf8(formatTime(request.timeMs));
    case 'peer':
      return ({ request }) => utf8(formatEndpoint(request.remote));
    case 'random:':
      return parseRandom(field, argument ?? '');
    default:
      throw new EncodingError(
        /^(\d+|[A-Za-z_]\w*)$/.test(field)
          ? `{${field}} is no field, and the rule's regex has no such group; the fields are ${FIELDS}`
          : `{${field}} is no field; the fields are ${FIELDS}`,
      );
  }
}

/** Returns the number of the group that a field names. Undefined if the expression has no such group. */
function groupOf(name: string, regex: RegexMatcher | undefined): number | undefined {
  if (regex === undefined) return undefined;
  if (!/^\d{1,3}$/.test(name)) return Object.hasOwn(regex.namedGroups, name) ? regex.namedGroups[name] : undefined;
  return Number(name) <= regex.groupCount ? Number(name) : undefined;
}

/** Reads a range: `2..5`, `2..`, `..5` or `2`. A request that ends before the range gives the bytes it has. */
function parseSlice(field: string, written: string): Part {
  const [, first = '', dots, last = ''] = /^(\d{0,5})(\.\.)?(\d{0,5})$/.exec(written) ?? [];
  const from = Number(first);
  const to = dots === undefined ? from : last === '' ? Infinity : Number(last);
  if ((first === '' && last === '') || from > to) {
    throw new EncodingError(
      `{${field}} is no range of bytes; write it as {data:2}, {data:2..5}, {data:2..} or {data:..5}`,
    );
  }
  return ({ request }) => request.data.subarray(from, to + 1);
}

function parseRandom(field: string, written: string): Part {
  const count = /^\d{1,5}$/.test(written) ? Number(written) : 0;
  if (count < 1 || count > MAX_PAYLOAD_BYTES[6]) {
    throw new EncodingError(`{${field}} is no count of bytes from 1 to ${MAX_PAYLOAD_BYTES[6]}, as in {random:8}`);
  }
  return () => randomBytes(count);
}

function bytesOf(captured: string | Uint8Array): Uint8Array {
  return typeof captured === 'string' ? utf8(captured) : captured;
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
