/**
 * Checks properties with random inputs. `npm test` draws the same inputs in every run, so a failure comes again.
 * `npm run fuzz` draws new inputs, and more of them.
 */
import fc from 'fast-check';

/** How many times as many inputs as `npm test` a property gets. `npm run fuzz` sets the variable. */
const FACTOR = process.env.UDPCAT_FUZZ === undefined ? undefined : Number(process.env.UDPCAT_FUZZ);
/** The start of the random numbers. A failure names its own: set the variable to get the same inputs again. */
const SEED = process.env.UDPCAT_SEED === undefined ? undefined : Number(process.env.UDPCAT_SEED);
/** The longest time for one input in milliseconds. An asynchronous property that takes longer hangs, and fails. */
const INPUT_MS = 60_000;
/** The longest time for all inputs in milliseconds, and for the search for the smallest wrong input. */
const MOST_MS = 120_000;

fc.configureGlobal({ seed: SEED ?? (FACTOR === undefined ? 1 : Date.now() % 2 ** 31) });

export { fc };

/** Options of {@link holds} and {@link holdsAsync}. */
export interface Trials {
  /** Number of random inputs in `npm test`. Default: 1000. */
  readonly runs?: number;
  /** Whether a failure looks for a smaller wrong input. Leave it out where an input costs seconds. Default: true. */
  readonly shrinks?: boolean;
}

function parameters({ runs = 1000, shrinks = true }: Trials): fc.Parameters<unknown> {
  return {
    numRuns: Math.ceil(runs * (FACTOR ?? 1)),
    endOnFailure: !shrinks,
    plugins: [fc.timeout(INPUT_MS), fc.interruptAfterTimeLimit(MOST_MS)],
  };
}

/**
 * Asserts that a property holds for random inputs. A failure names the smallest wrong input and its seed.
 */
export function holds<Values extends readonly unknown[]>(property: fc.IProperty<Values>, trials: Trials = {}): void {
  fc.assert(property as fc.IProperty<unknown>, parameters(trials));
}

/** Like {@link holds}, for an asynchronous property. */
export function holdsAsync<Values extends readonly unknown[]>(
  property: fc.IAsyncProperty<Values>,
  trials: Trials = {},
): Promise<void> {
  return fc.assert(property as fc.IAsyncProperty<unknown>, parameters(trials));
}

/** Random payloads, mostly of a few bytes, sometimes of thousands. */
export const payloads: fc.Arbitrary<Uint8Array> = fc.uint8Array({ size: '+1' });

/** The first surrogate, and how many there are. UTF-8 has none of them. */
const [SURROGATE, SURROGATES] = [0xd800, 0x800];

/** Random characters of all planes of Unicode. The unit `binary` of fast-check first lists all of them, which takes a second. */
const characters = fc.integer({ min: 0, max: 0x10_ffff - SURROGATES }).map(
  (index) => String.fromCodePoint(index < SURROGATE ? index : index + SURROGATES),
  (character) => {
    const point = typeof character === 'string' ? character.codePointAt(0) : undefined;
    if (point === undefined || String.fromCodePoint(point) !== character) throw new Error('not one character');
    return point < SURROGATE ? point : point - SURROGATES;
  },
);

/** Random text with characters of all planes of Unicode, as UTF-8. */
export const textPayloads: fc.Arbitrary<Uint8Array> = fc
  .string({ unit: characters, size: '+1' })
  .map((text) => Buffer.from(text, 'utf8'));
