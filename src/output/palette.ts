/** The few styles that udpcat uses; each returns its text unchanged where there is no colour. */
export interface Palette {
  readonly dim: (text: string) => string;
  readonly cyan: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly red: (text: string) => string;
}

const plain = (text: string): string => text;
const PLAIN: Palette = { dim: plain, cyan: plain, yellow: plain, red: plain };

/** Loads chalk only where there is something to colour. */
export async function createPalette(colored: boolean): Promise<Palette> {
  if (!colored) return PLAIN;
  const { Chalk } = await import('chalk');
  return new Chalk({ level: 1 });
}

/**
 * Whether to colour a stream: the option decides, then `NO_COLOR` (no-color.org), then `FORCE_COLOR`, then whether it is
 * a terminal that can.
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
