import { dump } from './dump.js';
import { base64, hex } from './encoded.js';
import type { Format } from '../payloads.js';
import type { FormatOptions, OutputFormat } from './format.js';
import { json } from './json.js';
import { none } from './none.js';
import { raw } from './raw.js';
import { utf8 } from './utf8.js';

const TABLE = { utf8, hex, dump, base64, json, raw, none };

/** The name of a format of stdout, as `-o` takes it. */
export type FormatName = keyof typeof TABLE;

/** All formats by name, in the order in which the help lists them. */
export const FORMATS: Readonly<Record<FormatName, OutputFormat>> = TABLE;

export const FORMAT_NAMES = Object.keys(TABLE) as readonly FormatName[];

/** Makes a writer of datagrams in a format. Returns undefined if the format writes nothing. */
export function createFormat(name: FormatName, options: FormatOptions): Format | undefined {
  return FORMATS[name].create?.(options);
}
