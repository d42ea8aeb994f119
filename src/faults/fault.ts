import type { Random } from './random.js';

/** The fate of one datagram. The effects of the faults write it. */
export interface Fate {
  lost: boolean;
  blackholed: boolean;
  /** Bytes that are left: fewer than there were, unless there were none. Undefined: it is not cut. */
  keptBytes: number | undefined;
  duplicated: boolean;
  reordered: boolean;
  /** Delays of the datagram and of its copy, from 0. */
  readonly delaysMs: [number, number];
  /** Draws which of so many bits are flipped. It is called after every effect, because a cut leaves fewer bits. */
  flip: (bits: number) => readonly number[];
  /** Bits of the rest that are flipped, each once, counted from 0. */
  flippedBits: readonly number[];
}

/** Decides one part of a fate. It takes equally many random numbers for every datagram. */
export type Effect = (fate: Fate, datagram: { readonly bytes: number; readonly sinceStartMs: number }) => void;

/** One kind of fault: a row of the table. */
export interface Fault<Setting, Written = Setting> {
  /** The option, such as `--loss <p>`. */
  readonly flags: string;
  /** Its line in the help. */
  readonly help: string;
  /** Reads the value of the option. @throws {ValueError} */
  readonly read: (text: string) => Written;
  /** Whether the option may stand several times; the setting is the list of its values then. */
  readonly isRepeatable?: boolean;
  /** Whether the short help (`-h`) shows the option. */
  readonly isCommon?: boolean;
  /** Number of its stream of random numbers, from 0. It never changes: a seed means the same faults for ever. */
  readonly stream: number;
  readonly create: (setting: Setting, random: Random) => Effect;
}

/** A fault that happens to each datagram with one probability. */
export function happening(
  row: Pick<Fault<number>, 'flags' | 'help' | 'stream' | 'isCommon'>,
  read: (text: string) => number,
  apply: (fate: Fate) => void,
): Fault<number> {
  return {
    ...row,
    read,
    create: (probability, random) => (fate) => {
      if (random.fraction() < probability) apply(fate);
    },
  };
}
