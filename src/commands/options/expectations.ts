import type { Expectation } from '../../check/expectation.js';
import { createExpectations, type WrittenExpectations } from '../../check/written-expectations.js';
import { type Encoding, EncodingError } from '../../text/encoding.js';
import type { Io } from '../../run/context.js';
import { checkUtf8 } from './plan.js';
import { UsageError } from '../../cli/usage-error.js';

/** Reads the `--expect` options. @throws {UsageError} for a text that is not valid in the encoding */
export function readExpectations(
  written: WrittenExpectations,
  encoding: Encoding,
  io: Io,
): Promise<readonly Expectation[]> {
  return createExpectations(written, encoding, async ({ option, text, read }) => {
    checkUtf8(text, `option '${option}'`, io);
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error;
      throw new UsageError(`option '${option}' cannot be read from ${JSON.stringify(text)}: ${error.message}`);
    }
  });
}
