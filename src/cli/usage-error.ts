/** A command line that cannot be carried out. The message names what is wrong and what is accepted. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
