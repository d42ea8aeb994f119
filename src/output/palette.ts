/**
 * The styles that udpcat uses. Without colour each returns its text unchanged. Yellow is not among them: it cannot be read on
 * white.
 */
export interface Palette {
  readonly dim: (text: string) => string;
  readonly green: (text: string) => string;
  readonly cyan: (text: string) => string;
  readonly magenta: (text: string) => string;
  readonly red: (text: string) => string;
}

const plain = (text: string): string => text;
/** No colours. */
export const PLAIN: Palette = { dim: plain, green: plain, cyan: plain, magenta: plain, red: plain };

/** Makes a palette. Loads chalk only if `colored` is true. */
export async function createPalette(colored: boolean): Promise<Palette> {
  if (!colored) return PLAIN;
  const { Chalk } = await import('chalk');
  return new Chalk({ level: 1 });
}

/**
 * Whether to colour a stream. The first that is set decides: the option, `NO_COLOR` (https://no-color.org),
 * `FORCE_COLOR`. Otherwise a terminal is coloured, unless `TERM` is `dumb`.
 */
export function wantsColor(
  option: boolean | undefined,
  env: Readonly<Record<string, string | undefined>>,
  terminal: boolean,
): boolean {
  if (option !== undefined) return option;
  if (env.NO_COLOR !== undefined && env.NO_COLOR !== '') return false;
  if (env.FORCE_COLOR !== undefined) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return terminal && env.TERM !== 'dumb';
}
