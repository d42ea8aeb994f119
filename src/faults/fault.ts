import type { Line } from './line.js';
import type { Random } from './random.js';

/** A fault that can lose a datagram. */
export type LossName = 'loss' | 'burstLoss' | 'lose' | 'maxSize' | 'lineQueue' | 'limitData' | 'blackhole';

/** A conversation. Its number is from 1. */
export interface Flow {
  readonly number: number;
}

/** The fate of one datagram. Each fault sets its part of it. */
export interface Fate {
  /** The first fault that loses the datagram. A blackhole comes before all others. Undefined: the datagram is not lost. */
  lostBy: LossName | undefined;
  /** The datagram is cut to this size in bytes. Undefined: it is not cut. */
  keptBytes: number | undefined;
  duplicated: boolean;
  /** The datagram is held back until the next one to the same peer has left. */
  reordered: boolean;
  /** The delay of the datagram and the delay of its copy, each at least 0. */
  readonly delaysMs: [number, number];
  /**
   * Draws the bits to flip, given how many bits the payload has. It is called after all effects, because a cut payload has
   * fewer bits.
   */
  flip: (bits: number) => readonly number[];
  /** The bits of the cut payload that are flipped, each once, counted from 0. */
  flippedBits: readonly number[];
  /** The line that the datagram and its copy pass before they wait for their delays. Undefined: there is no line. */
  line: Line | undefined;
  /** The longest time that the datagram may wait for the line, in milliseconds. */
  mostQueueMs: number;
}

/** The properties of a datagram that its fate can depend on. */
export interface Judged {
  /** The size of the payload. */
  readonly bytes: number;
  /** When the datagram is ready, in milliseconds since the start of the service. */
  readonly sinceStartMs: number;
  /** The number of the datagram in its conversation and direction, from 1. */
  readonly nth: number;
  /** The conversation of the datagram; undefined if it has no place in one. */
  readonly flow: Flow | undefined;
}

/** Decides one part of the fate of a datagram. It draws equally many random numbers for every datagram. */
export type Effect = (fate: Fate, datagram: Judged) => void;

/** The option of a fault. `Written` is one value of the option. */
interface FaultOption<Written> {
  /** The flag and its value, for example `--loss <p>`. */
  readonly flags: string;
  /** The text of the option in the help. */
  readonly help: string;
  /** Reads the value of the option. @throws {ValueError} */
  readonly read: (text: string) => Written;
  /** Whether the option may be given several times. Then the setting is the list of its values. Default: false. */
  readonly isRepeatable?: boolean;
  /** Whether the short help (`-h`) shows the option. */
  readonly isCommon?: boolean;
}

/** A fault that draws random numbers. */
export interface RandomFault<Setting, Written = Setting> extends FaultOption<Written> {
  /**
   * The number of its stream of random numbers, from 0. No other fault has the same, and it never changes: so a seed means
   * the same faults in every version.
   */
  readonly stream: number;
  readonly create: (setting: Setting, random: Random) => Effect;
}

/** A fault without chance: it draws no random numbers. */
export interface FixedFault<Setting, Written = Setting> extends FaultOption<Written> {
  readonly stream?: undefined;
  readonly create: (setting: Setting) => Effect;
}

/** One kind of fault: a row of the table. */
export type Fault<Setting, Written = Setting> = RandomFault<Setting, Written> | FixedFault<Setting, Written>;

/** Makes a fault that happens to each datagram with the same probability, from 0 to 1. */
export function happening(
  row: Pick<RandomFault<number>, 'flags' | 'help' | 'stream' | 'isCommon'>,
  read: (text: string) => number,
  apply: (fate: Fate) => void,
): RandomFault<number> {
  return {
    ...row,
    read,
    create: (probability, random) => (fate) => {
      if (random.fraction() < probability) apply(fate);
    },
  };
}
