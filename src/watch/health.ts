/** What is known of a target. It is `unknown` until enough checks in a row agree. */
export type State = 'unknown' | 'up' | 'down';

/** How many checks in a row turn a target. */
export interface HealthLimits {
  /** Passing checks in a row that turn it up, from 1. */
  readonly rise: number;
  /** Failing checks in a row that turn it down, from 1. */
  readonly fall: number;
}

/** A target went from one state to another. */
export interface Change {
  readonly from: State;
  readonly to: Exclude<State, 'unknown'>;
  /** How long the earlier state lasted, in milliseconds. */
  readonly lastedMs: number;
  /** How many checks in a row turned it. */
  readonly streak: number;
}

/** The state of a target, by its checks. */
export class Health {
  #limits: HealthLimits;
  #state: State = 'unknown';
  #sinceMs: number;
  /** Passing checks in a row; 0 after one that failed. */
  #passed = 0;
  /** Failing checks in a row; 0 after one that passed. */
  #failed = 0;
  #checks = 0;
  #changes = 0;

  /** @param nowMs the moment from which it is unknown, by `performance.now()` */
  constructor(limits: HealthLimits, nowMs: number) {
    this.#limits = limits;
    this.#sinceMs = nowMs;
  }

  get state(): State {
    return this.#state;
  }

  /** When the state began, by `performance.now()`. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  /** Checks so far. */
  get checks(): number {
    return this.#checks;
  }

  /** Changes of the state so far. */
  get changes(): number {
    return this.#changes;
  }

  /** Other limits hold from the next check on. */
  set limits(limits: HealthLimits) {
    this.#limits = limits;
  }

  /** Whether the target is `unknown`, or fails and is not yet `down`. */
  get isUndecided(): boolean {
    return this.#state === 'unknown' || (this.#state === 'up' && this.#failed > 0);
  }

  /** Whether one of the last `fall` checks passed. */
  get passedLately(): boolean {
    return this.#failed < Math.min(this.#limits.fall, this.#checks);
  }

  /** Takes in one check. Returns the change of the state, if there is one. */
  take(passed: boolean, nowMs: number): Change | undefined {
    this.#checks += 1;
    this.#passed = passed ? this.#passed + 1 : 0;
    this.#failed = passed ? 0 : this.#failed + 1;
    const { rise, fall } = this.#limits;
    if (passed && this.#state !== 'up' && this.#passed >= rise) return this.#turn('up', this.#passed, nowMs);
    if (!passed && this.#state !== 'down' && this.#failed >= fall) return this.#turn('down', this.#failed, nowMs);
    return undefined;
  }

  #turn(to: Change['to'], streak: number, nowMs: number): Change {
    const change = { from: this.#state, to, lastedMs: nowMs - this.#sinceMs, streak };
    this.#state = to;
    this.#sinceMs = nowMs;
    this.#changes += 1;
    return change;
  }
}
