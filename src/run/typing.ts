import { readTypedLines, type TypedLineHandlers, type TypedLines } from '../input/typed-lines.js';
import type { Encoding } from '../text/encoding.js';
import type { Context } from './context.js';

/** Begins to read the lines that the user types. */
export type ReadTyping = (handlers: TypedLineHandlers) => Promise<TypedLines>;

/** Reads lines that the user types: with line editing at a terminal that can show it, otherwise as the terminal sends them. */
export async function readTyping(
  context: Context,
  encoding: Encoding,
  handlers: TypedLineHandlers,
): Promise<TypedLines> {
  const { stdin, terminals, log } = context;
  if (!terminals.stdin || !log.hasStatus || !context.isForeground()) return readTypedLines(stdin, encoding, handlers);
  // Loaded only here, because node:readline takes time to load.
  const { readEditedLines } = await import('./edited-lines.js');
  return readEditedLines(context, encoding, handlers);
}
