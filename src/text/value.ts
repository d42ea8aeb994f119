import { ValueError } from '../net/errors.js';

/** What a shell can offer for a value: files, interfaces of this host, probes, or words, of which one may be the start of a value. */
export type Completes = 'file' | 'interface' | 'probe' | readonly string[];

/** Reads a value; knows, beside that, what a shell can offer for it, if there is anything to offer. */
export type Parser<Value> = ((text: string) => Value) & { readonly completes?: Completes };

export function completing<Value>(completes: Completes, parse: (text: string) => Value): Parser<Value> {
  return Object.assign(parse, { completes });
}

/** A parser for one word out of several. */
export function oneOf<const Word extends string>(words: readonly Word[]): Parser<Word> {
  return completing(words, (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new ValueError(`It is one of ${words.join(', ')}.`);
    return word;
  });
}

/** Text that is taken as it stands. */
export function parseText(text: string): string {
  return text;
}

/** The name of a file, taken as it stands. */
export const parsePath = completing('file', (text) => text);

/** The name of an interface, taken as it stands. */
export const parseInterfaceName = completing('interface', (text) => text);
