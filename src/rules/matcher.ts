import { type Expectation, expectExact, expectSize, type SizeRange } from '../check/expectation.js';
import { AccessList, type Cidr } from '../guard/access-list.js';
import { EncodingError } from '../text/encoding.js';
import type { Question } from './question.js';

/** What an expression captured: the whole match, then its groups; undefined for a group that took no part. */
export type Captures = readonly (string | undefined)[];

const NO_CAPTURES: Captures = [];

/** One condition of a rule. */
export interface Matcher {
  /** What the expression of the rule captured, nothing for other conditions; undefined if the question does not match. */
  match(question: Question): Captures | undefined;
}

function meeting(meets: (question: Question) => boolean): Matcher {
  return { match: (question) => (meets(question) ? NO_CAPTURES : undefined) };
}

function expecting(expectation: Expectation): Matcher {
  return meeting(({ data }) => expectation.mismatch(data) === undefined);
}

/** Exactly this text, as UTF-8. */
export function matchExact(text: string): Matcher {
  return expecting(expectExact(Buffer.from(text, 'utf8'), 'utf8'));
}

const ANYTHING_AFTER = /\s*\.\.\.\s*$/;

/**
 * Exactly these bytes, written in hex: `??` is any byte, and `...` at the end whatever follows, nothing included.
 *
 * @throws {EncodingError}
 */
export function matchHex(written: string): Matcher {
  const pattern = written.replace(ANYTHING_AFTER, '');
  const exact = expectExact(Buffer.from(pattern, 'utf8'), 'hex');
  if (pattern === written) return expecting(exact);
  const length = pattern.replace(/\s/g, '').length / 2;
  // The bytes before the dots, if the question has as many.
  return meeting(({ data }) => data.length >= length && exact.mismatch(data.subarray(0, length)) === undefined);
}

/** A size in bytes. */
export function matchSize(range: SizeRange): Matcher {
  return expecting(expectSize(range));
}

/** An address in one of the blocks. */
export function matchPeer(blocks: readonly Cidr[]): Matcher {
  const list = new AccessList(blocks, []);
  return meeting(({ remote }) => list.admits(remote));
}

/** A condition that captures. */
export interface RegexMatcher extends Matcher {
  /** How many groups there are. */
  readonly groupCount: number;
  /** The numbers of the groups that have names. */
  readonly namedGroups: Readonly<Record<string, number>>;
}

/**
 * An RE2 expression, found anywhere in the payload read as UTF-8, in time linear in its size.
 *
 * @throws {EncodingError} if it is no such expression
 */
export async function matchRegex(source: string): Promise<RegexMatcher> {
  const { RE2JS } = await import('re2js');
  try {
    const regex = RE2JS.compile(source);
    const groupCount = regex.groupCount();
    const match = ({ text }: Question): Captures | undefined => {
      const matcher = regex.matcher(text);
      if (!matcher.find()) return undefined;
      return Array.from({ length: groupCount + 1 }, (_, group) => matcher.group(group) ?? undefined);
    };
    return { match, groupCount, namedGroups: regex.namedGroups() };
  } catch (error) {
    throw new EncodingError(error instanceof Error ? error.message : String(error));
  }
}
