import type { Encoding } from '../text/encoding.js';
import {
  type Expectation,
  expectContains,
  expectExact,
  expectRegex,
  expectSize,
  type SizeRange,
} from './expectation.js';

/** What a reply must be, as the user wrote it. It can be handed to another thread. */
export interface WrittenExpectations {
  readonly expect: readonly string[] | undefined;
  readonly expectExact: string | undefined;
  readonly expectRegex: readonly string[] | undefined;
  readonly expectSize: SizeRange | undefined;
}

/** One text among them. */
export interface WrittenExpectation {
  /** The option that it was given by. */
  readonly option: string;
  readonly text: string;
  /** @throws {EncodingError} if it cannot be read */
  readonly read: () => Expectation | Promise<Expectation>;
}

/**
 * Reads the expectations, in the order in which a reply is held against them.
 *
 * @param readOne reads one that is a text. Default: its own `read`.
 */
export async function createExpectations(
  { expect = [], expectExact: exact, expectRegex: regex = [], expectSize: size }: WrittenExpectations,
  encoding: Encoding,
  readOne = async ({ read }: WrittenExpectation): Promise<Expectation> => read(),
): Promise<readonly Expectation[]> {
  const bytes = (text: string): Uint8Array => Buffer.from(text, 'utf8');
  const texts: readonly WrittenExpectation[] = [
    ...expect.map((text) => ({ option: '--expect', text, read: () => expectContains(bytes(text), encoding) })),
    ...(exact === undefined
      ? []
      : [{ option: '--expect-exact', text: exact, read: () => expectExact(bytes(exact), encoding) }]),
    ...regex.map((text) => ({ option: '--expect-regex', text, read: () => expectRegex(text) })),
  ];
  return [...(await Promise.all(texts.map(readOne))), ...(size === undefined ? [] : [expectSize(size)])];
}

/** Why a reply does not meet the first that it fails, to follow "the reply …"; undefined if it meets all. */
export function firstMismatch(expectations: readonly Expectation[], data: Uint8Array): string | undefined {
  for (const expectation of expectations) {
    const says = expectation.mismatch(data);
    if (says !== undefined) return says;
  }
  return undefined;
}
