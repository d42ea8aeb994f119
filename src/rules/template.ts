import { randomBytes } from 'node:crypto';
import { decode, EncodingError } from '../text/encoding.js';
import { formatEndpoint, MAX_PAYLOAD_BYTES } from '../net/index.js';
import { formatTime } from '../text/time.js';
import type { Captures, RegexMatcher } from './matcher.js';
import type { Question } from './question.js';

/** What a template is filled with. */
export interface TemplateValues {
  readonly question: Question;
  readonly captures: Captures;
  /** How often the rule has matched, this time included. */
  readonly counter: number;
}

type Part = Uint8Array | ((values: TemplateValues) => Uint8Array);

/** Makes the payload of an answer. */
export type Template = (values: TemplateValues) => Uint8Array;

/** Always the same payload. */
export function fixedTemplate(payload: Uint8Array): Template {
  return () => payload;
}

/** A field in braces, a doubled brace that stands for itself, or one that is neither. */
const FIELD = /\{\{|\}\}|\{([^{}]*)\}|[{}]/g;

/**
 * Reads a template. `{1}` and `{name}` are what the rule's expression captured, `{0}` its whole match, `{data}` the
 * datagram's bytes, `{data:2..5}` some of them, counted from 0, `{counter}` how often the rule has matched, `{time}` when
 * the datagram came, `{peer}` its sender, `{random:8}` so many random bytes. `{{` and `}}` are braces.
 *
 * @param encoding of what stands between the fields
 * @param regex the expression of the rule, if it has one
 * @throws {EncodingError} for what is no such template, or always longer than a datagram
 */
export function parseTemplate(written: string, encoding: 'utf8' | 'hex', regex: RegexMatcher | undefined): Template {
  const parts: Part[] = [];
  let literal = '';
  let from = 0;
  const endLiteral = (): void => {
    if (literal !== '') parts.push(decode(Buffer.from(literal, 'utf8'), encoding));
    literal = '';
  };
  for (const { 0: found, 1: field, index } of written.matchAll(FIELD)) {
    literal += written.slice(from, index);
    from = index + found.length;
    if (field !== undefined) {
      endLiteral();
      parts.push(parseField(field, regex));
    } else if (found.length === 2 && encoding === 'utf8') literal += found[0] ?? '';
    else throw new EncodingError(`"${found}" is no field; a brace in text is written twice, {{ or }}`);
  }
  literal += written.slice(from);
  endLiteral();
  return templateOf(parts);
}

function templateOf(parts: readonly Part[]): Template {
  const fixed = parts.filter((part) => typeof part !== 'function');
  const payload = Buffer.concat(fixed);
  checkPayloadSize(payload);
  if (fixed.length === parts.length) return fixedTemplate(payload);
  return (values) => Buffer.concat(parts.map((part) => (typeof part === 'function' ? part(values) : part)));
}

/** @throws {EncodingError} for more than a datagram of either family holds */
export function checkPayloadSize({ length }: Uint8Array): void {
  const limit = MAX_PAYLOAD_BYTES[6];
  if (length > limit) throw new EncodingError(`it is more than a datagram holds, ${limit} bytes`);
}

const FIELDS = '{1}, {NAME}, {data}, {data:2..5}, {counter}, {time}, {peer} and {random:8}';

function parseField(field: string, regex: RegexMatcher | undefined): Part {
  const [name = '', argument] = field.split(/:(.*)/s);
  const ofRegex = argument === undefined ? groupOf(name, regex) : undefined;
  if (ofRegex !== undefined) return ({ captures }) => utf8(captures[ofRegex] ?? '');
  switch (argument === undefined ? name : `${name}:`) {
    case 'data':
      return ({ question }) => question.data;
    case 'data:':
      return parseSlice(field, argument ?? '');
    case 'counter':
      return ({ counter }) => utf8(String(counter));
    case 'time':
      return ({ question }) => utf8(formatTime(question.timeMs));
    case 'peer':
      return ({ question }) => utf8(formatEndpoint(question.remote));
    case 'random:':
      return parseRandom(field, argument ?? '');
    default:
      throw new EncodingError(
        /^(\d+|[A-Za-z_]\w*)$/.test(field)
          ? `{${field}} is nothing that the rule's regex captures, and no other field; ${FIELDS} are`
          : `{${field}} is no field; ${FIELDS} are`,
      );
  }
}

/** The number of the group that a field names. */
function groupOf(name: string, regex: RegexMatcher | undefined): number | undefined {
  if (regex === undefined) return undefined;
  if (!/^\d{1,3}$/.test(name)) return Object.hasOwn(regex.namedGroups, name) ? regex.namedGroups[name] : undefined;
  return Number(name) <= regex.groupCount ? Number(name) : undefined;
}

/** The bytes that there are of those asked for; both ends are included. */
function parseSlice(field: string, written: string): Part {
  const [, first = '', dots, last = ''] = /^(\d{0,5})(\.\.)?(\d{0,5})$/.exec(written) ?? [];
  const from = Number(first);
  const to = dots === undefined ? from : last === '' ? Infinity : Number(last);
  if ((first === '' && last === '') || from > to) {
    throw new EncodingError(`{${field}} is no range of bytes; {data:2}, {data:2..5}, {data:2..} and {data:..5} are`);
  }
  return ({ question }) => question.data.subarray(from, to + 1);
}

function parseRandom(field: string, written: string): Part {
  const count = /^\d{1,5}$/.test(written) ? Number(written) : 0;
  if (count < 1 || count > MAX_PAYLOAD_BYTES[6]) {
    throw new EncodingError(`{${field}} is no count of bytes from 1 to ${MAX_PAYLOAD_BYTES[6]}, as in {random:8}`);
  }
  return () => randomBytes(count);
}

function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}
