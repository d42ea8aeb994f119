import { ValueError } from '../net/errors.js';

/**
 * The completions that a shell offers for a value: files, interfaces of this host, probes, or words. A word may be only
 * the beginning of a value.
 */
export type Completes = 'file' | 'interface' | 'probe' | readonly string[];

/**
 * A function that reads a value from text and throws a `ValueError` for other text. `completes` has the completions
 * that a shell offers. Default: none.
 */
export type Parser<Value> = ((text: string) => Value) & { readonly completes?: Completes };

/** Adds completions to a function that reads a value. */
export function completing<Value>(completes: Completes, parse: (text: string) => Value): Parser<Value> {
  return Object.assign(parse, { completes });
}

/** Returns a parser that accepts one of the words. The shell offers them as completions. */
export function oneOf<const Word extends string>(words: readonly Word[]): Parser<Word> {
  return completing(words, (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new ValueError(`It is one of ${words.join(', ')}.`);
    return word;
  });
}

/** Returns the text unchanged. */
export function parseText(text: string): string {
  return text;
}

/** Returns the path of a file unchanged. */
export const parsePath = completing('file', (text) => text);

/** Returns the name of an interface unchanged. */
export const parseInterfaceName = completing('interface', (text) => text);
