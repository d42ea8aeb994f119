/** An error in the command line. The message names the option or argument, and says what is accepted. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
