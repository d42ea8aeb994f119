import type { Matcher as Matching, RE2JS } from 're2js';
import { type Expectation, expectExact, expectSize, type SizeRange } from '../check/expectation.js';
import { AccessList, type Cidr } from '../guard/access-list.js';
import { EncodingError } from '../text/encoding.js';
import { charCodeOfByte, type RuleRequest } from './rule-request.js';

/**
 * What an expression captured: the whole match, then its groups. A group that took no part is undefined. An expression for
 * text captures text, and an expression for bytes captures bytes.
 */
export type Captures = readonly (string | Uint8Array | undefined)[];

const NO_CAPTURES: Captures = [];

/** One condition of a rule. */
export interface Matcher {
  /**
   * Returns what the expression of the rule captured, which is empty for other conditions. Undefined if the request
   * does not meet the condition.
   */
  match(request: RuleRequest): Captures | undefined;
}

function meeting(meets: (request: RuleRequest) => boolean): Matcher {
  return { match: (request) => (meets(request) ? NO_CAPTURES : undefined) };
}

function expecting(expectation: Expectation): Matcher {
  return meeting(({ data }) => expectation.mismatch(data) === undefined);
}

/** Matches a payload that is exactly this text in UTF-8. */
export function matchExact(text: string): Matcher {
  return expecting(expectExact(Buffer.from(text, 'utf8'), 'utf8'));
}

const ANYTHING_AFTER = /\s*\.\.\.\s*$/;

/**
 * Matches a payload by bytes in hex, for example `01 ?? 03 ...`. `??` stands for any byte. `...` at the end stands for
 * any number of bytes, also none.
 *
 * @throws {EncodingError} if the text is no such pattern
 */
export function matchHex(written: string): Matcher {
  const pattern = written.replace(ANYTHING_AFTER, '');
  const exact = expectExact(Buffer.from(pattern, 'utf8'), 'hex');
  if (pattern === written) return expecting(exact);
  const length = pattern.replace(/\s/g, '').length / 2;
  // Only the bytes before the dots are compared.
  return meeting(({ data }) => data.length >= length && exact.mismatch(data.subarray(0, length)) === undefined);
}

/** Matches a payload by its size in bytes. */
export function matchSize(range: SizeRange): Matcher {
  return expecting(expectSize(range));
}

/** Matches a request whose sender has an address in one of the blocks. */
export function matchPeer(blocks: readonly Cidr[]): Matcher {
  const list = new AccessList(blocks, []);
  return meeting(({ remote }) => list.admits(remote));
}

/** A condition that captures parts of the payload. */
export interface RegexMatcher extends Matcher {
  /** Number of groups of the expression, the whole match not counted. */
  readonly groupCount: number;
  /** The numbers of the named groups, by name. */
  readonly namedGroups: Readonly<Record<string, number>>;
}

/**
 * Matches a payload by an RE2 expression, which may match anywhere in the payload. The payload is read as UTF-8. The
 * time is linear in the size of the payload: no request can make the server hang.
 *
 * @throws {EncodingError} if the text is no RE2 expression
 */
export async function matchRegex(source: string): Promise<RegexMatcher> {
  const { RE2JS } = await import('re2js');
  return compile(() => RE2JS.compile(source), {
    textOf: ({ text }) => text,
    capture: (_request, matcher, group) => matcher.group(group) ?? undefined,
  });
}

/**
 * Matches a payload by an RE2 expression for bytes: each byte is one character, and `.` is any byte. Bytes from 80 on are written
 * `\xNN` in the expression. `(?i)` makes only the letters A to Z equal to a to z.
 *
 * @throws {EncodingError} if the text is no RE2 expression, or has characters outside ASCII
 */
export async function matchRegexBytes(source: string): Promise<RegexMatcher> {
  const { RE2JS } = await import('re2js');
  const [stranger] = /[^\0-\x7f]/u.exec(source) ?? [];
  if (stranger !== undefined) {
    const bytes = Buffer.from(stranger, 'utf8').toString('hex').replace(/../g, '\\x$&');
    throw new EncodingError(`"${stranger}" is no byte; the bytes of its UTF-8 are written ${bytes}`);
  }
  return compile(() => RE2JS.compile(withHighBytes(source), RE2JS.DOTALL), {
    textOf: ({ byteText }) => byteText,
    // A character of the text is a byte of the payload: the offsets are the same.
    capture: ({ data }, matcher, group) => {
      const start = matcher.start(group);
      return start < 0 ? undefined : data.subarray(start, matcher.end(group));
    },
  });
}

/** Replaces `\xNN` and `\x{NN}` from 80 to ff by the characters that stand for these bytes in a text of bytes. */
function withHighBytes(source: string): string {
  return source.replace(
    /\\(?:x([89a-f][\da-f])|x\{0*([89a-f][\da-f])\}|[^])/gi,
    (escape, two?: string, braced?: string) => {
      const digits = two ?? braced;
      return digits === undefined ? escape : `\\x{${charCodeOfByte(Number.parseInt(digits, 16)).toString(16)}}`;
    },
  );
}

/** How an expression reads a request, and what it captures from it. */
interface Reading {
  readonly textOf: (request: RuleRequest) => string;
  readonly capture: (request: RuleRequest, matcher: Matching, group: number) => Captures[number];
}

/** @throws {EncodingError} if `make` throws, because its text is no RE2 expression */
function compile(make: () => RE2JS, { textOf, capture }: Reading): RegexMatcher {
  try {
    const regex = make();
    const groupCount = regex.groupCount();
    const match = (request: RuleRequest): Captures | undefined => {
      const matcher = regex.matcher(textOf(request));
      if (!matcher.find()) return undefined;
      return Array.from({ length: groupCount + 1 }, (_, group) => capture(request, matcher, group));
    };
    return { match, groupCount, namedGroups: regex.namedGroups() };
  } catch (error) {
    throw new EncodingError(error instanceof Error ? error.message : String(error));
  }
}
