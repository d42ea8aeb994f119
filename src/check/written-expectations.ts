import type { Encoding } from '../text/encoding.js';
import {
  type Expectation,
  expectContains,
  expectExact,
  expectRegex,
  expectSize,
  type SizeRange,
} from './expectation.js';

/** The expectations as the user wrote them. Unlike an {@link Expectation}, they can be handed to another thread. */
export interface WrittenExpectations {
  readonly expect: readonly string[] | undefined;
  readonly expectExact: string | undefined;
  readonly expectRegex: readonly string[] | undefined;
  readonly expectSize: SizeRange | undefined;
}

/** One expectation that the user wrote as a text. */
export interface WrittenExpectation {
  /** The option, for example `--expect`. */
  readonly option: string;
  readonly text: string;
  /** Reads the text. @throws {EncodingError} if the encoding or the regular expression is wrong */
  readonly read: () => Expectation | Promise<Expectation>;
}

/**
 * Reads the expectations. A reply is compared with them in the order of the result.
 *
 * @param readOne reads one text. Default: calls its `read`.
 * @throws the errors of `readOne`
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

/**
 * Finds the first expectation that a reply fails. Returns the reason in words that follow "the reply", for example
 * `does not contain "OK"`. Returns undefined if the reply meets all.
 */
export function firstMismatch(expectations: readonly Expectation[], data: Uint8Array): string | undefined {
  for (const expectation of expectations) {
    const says = expectation.mismatch(data);
    if (says !== undefined) return says;
  }
  return undefined;
}
