import { type Expectation, expectContains, expectExact, expectRegex, expectSize } from '../check/expectation.js';
import type { SizeRange } from '../check/expectation.js';
import { type Encoding, EncodingError } from '../input/encoding.js';
import type { Io } from './context.js';
import { checkUtf8 } from './plan.js';
import { UsageError } from './usage-error.js';

/** What a reply must be, as it stands on the command line. */
export interface WrittenExpectations {
  readonly expect: readonly string[] | undefined;
  readonly expectExact: string | undefined;
  readonly expectRegex: readonly string[] | undefined;
  readonly expectSize: SizeRange | undefined;
}

/** Reads the expectations. @throws {UsageError} for one that cannot be read in the encoding */
export async function readExpectations(
  { expect = [], expectExact: exact, expectRegex: regex = [], expectSize: size }: WrittenExpectations,
  encoding: Encoding,
  io: Io,
): Promise<readonly Expectation[]> {
  const read = async (name: string, text: string, make: (bytes: Uint8Array) => Expectation | Promise<Expectation>) => {
    checkUtf8(text, `option '${name}'`, io);
    try {
      return await make(Buffer.from(text, 'utf8'));
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error;
      throw new UsageError(`option '${name}' cannot be read from ${JSON.stringify(text)}: ${error.message}`);
    }
  };
  const expectations = [
    ...expect.map((text) => read('--expect', text, (bytes) => expectContains(bytes, encoding))),
    ...(exact === undefined ? [] : [read('--expect-exact', exact, (bytes) => expectExact(bytes, encoding))]),
    ...regex.map((text) => read('--expect-regex', text, () => expectRegex(text))),
  ];
  return [...(await Promise.all(expectations)), ...(size === undefined ? [] : [expectSize(size)])];
}
