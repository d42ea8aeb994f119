import type { Family, Lookup } from '../net/index.js';
import { Alarm } from '../timing/alarm.js';

/** Addresses are used for at most this many times the time of `--resolve`, if they cannot be looked up again. */
const MAX_AGE_FACTOR = 10;

type Found = Awaited<ReturnType<Lookup>>;

/** The addresses of one name. They are looked up again in the background. */
class Name {
  /** In lower case. */
  readonly name: string;
  readonly #lookUp: () => Promise<Found>;
  readonly #keepMs: number;
  #found: Found | undefined;
  #foundAtMs = 0;
  /** The look-up that has not ended. All checks that need the name wait for it. */
  #underWay: Promise<Found> | undefined;
  readonly #refresh = new Alarm(() => {
    this.#look().catch(() => {
      // The known addresses are used until they are too old.
      this.#refresh.set(this.#keepMs);
    });
  });

  constructor(name: string, lookUp: () => Promise<Found>, keepMs: number) {
    this.name = name;
    this.#lookUp = lookUp;
    this.#keepMs = keepMs;
  }

  addresses(): Promise<Found> {
    const isFresh = performance.now() - this.#foundAtMs < this.#keepMs * MAX_AGE_FACTOR;
    return this.#found !== undefined && isFresh ? Promise.resolve(this.#found) : this.#look();
  }

  #look(): Promise<Found> {
    this.#underWay ??= this.#lookUp()
      .then((found) => {
        this.#found = found;
        this.#foundAtMs = performance.now();
        this.#refresh.set(this.#keepMs);
        return found;
      })
      .finally(() => {
        this.#underWay = undefined;
      });
    return this.#underWay;
  }

  stop(): void {
    this.#refresh.stop();
  }
}

/** Keeps the addresses of names, so that only the first check of a name waits for the resolver. */
export class Names implements Disposable {
  readonly #lookup: Lookup;
  readonly #names = new Map<string, Name>();
  #ended = false;

  /** @param lookup asks the resolver */
  constructor(lookup: Lookup) {
    this.#lookup = lookup;
  }

  /**
   * Looks names up for a target.
   *
   * @param keepMs after this time a name is looked up again in the background
   */
  lookupEvery(keepMs: number): Lookup {
    return (name, family) => this.#nameOf(name, family, keepMs).addresses();
  }

  #nameOf(name: string, family: Family | 0, keepMs: number): Name {
    const lower = name.toLowerCase();
    const key = JSON.stringify([lower, family, keepMs]);
    const known = this.#names.get(key);
    if (known !== undefined) return known;
    const lookUp = async (): Promise<Found> => {
      if (this.#ended) throw new Error('no name is looked up any more');
      return this.#lookup(name, family);
    };
    const added = new Name(lower, lookUp, keepMs);
    this.#names.set(key, added);
    return added;
  }

  /** Forgets all other names. The case of a name does not matter. */
  keepOnly(names: readonly string[]): void {
    const kept = new Set(names.map((name) => name.toLowerCase()));
    for (const [key, name] of this.#names) {
      if (kept.has(name.name)) continue;
      name.stop();
      this.#names.delete(key);
    }
  }

  /** Begins no more look-ups. */
  [Symbol.dispose](): void {
    this.#ended = true;
    this.keepOnly([]);
  }
}
