import { setMaxListeners } from 'node:events';
import { withoutServiceManager } from '../responders/load.js';
import { type RunResult, runProgram } from '../responders/program-run.js';
import type { Context } from '../run/context.js';
import { Alarm } from '../timing/alarm.js';
import { formatDuration } from '../text/time.js';
import type { HookResult, StateEvent } from './events.js';
import type { HookPlan } from './plan.js';
import type { Verdict } from './verdict.js';

/** A change of a target's state, for a program. */
export interface HookCall {
  readonly hook: HookPlan;
  readonly event: StateEvent;
  /** The event as a line of JSON, which is the program's stdin. */
  readonly line: string;
  readonly verdict: Verdict;
  /** Called once, when the program has ended or a newer change replaced this one. `why` says why it failed. */
  readonly done: (result: HookResult, why?: string) => void;
}

/** The parts of the context that hooks use. */
export type HookContext = Pick<Context, 'env' | 'force' | 'log' | 'programs'>;

/**
 * Runs the programs of `--on-change`. A target has one program at a time. Of the changes that come meanwhile only the newest
 * runs a program.
 */
export class Hooks {
  readonly #context: HookContext;
  readonly #concurrency: number;
  readonly #env: Readonly<Record<string, string | undefined>>;
  /** The targets whose program runs. */
  readonly #running = new Map<string, Promise<void>>();
  /** The newest change of each target that waits, in the order in which the targets began to wait. */
  readonly #waiting = new Map<string, HookCall>();
  readonly #kill = new AbortController();
  readonly #deadline = new Alarm(() => {
    this.#kill.abort('over');
  });

  /** @param concurrency programs that run at a time, from 1 */
  constructor(context: HookContext, concurrency: number) {
    this.#context = context;
    this.#concurrency = concurrency;
    this.#env = withoutServiceManager(context.env);
    // Each run listens. Node would warn of a leak otherwise.
    setMaxListeners(concurrency, this.#kill.signal);
    context.force.addEventListener('abort', this.#onForce, { once: true });
  }

  readonly #onForce = (): void => {
    this.#kill.abort('forced');
  };

  /** Runs the program for a change as soon as it can. */
  call(call: HookCall): void {
    const { target } = call.event;
    this.#waiting.get(target)?.done('superseded');
    this.#waiting.set(target, call);
    this.#next();
  }

  #next(): void {
    for (const [target, call] of this.#waiting) {
      if (this.#running.size >= this.#concurrency || this.#kill.signal.aborted) return;
      if (this.#running.has(target)) continue;
      this.#waiting.delete(target);
      const run = this.#run(call).finally(() => {
        this.#running.delete(target);
        this.#next();
      });
      this.#running.set(target, run);
    }
  }

  async #run({ hook, event, line, verdict, done }: HookCall): Promise<void> {
    const { log } = this.#context;
    const { target, address, from, to, says } = event;
    const result = await runProgram(hook.program, {
      input: Buffer.from(line),
      env: {
        ...this.#env,
        UDPCAT_TARGET: target,
        UDPCAT_ADDRESS: address,
        UDPCAT_STATE: to,
        UDPCAT_PREVIOUS: from,
        UDPCAT_VERDICT: verdict,
        UDPCAT_SAYS: withoutNul(says),
      },
      maxOutputBytes: undefined,
      timeoutMs: hook.timeoutMs,
      signal: this.#kill.signal,
      onErrorLine: (text) => {
        log.info(`${target}: ${text}`, { target });
      },
      control: this.#context.programs,
    });
    done(...summarize(result, hook));
  }

  /**
   * Waits for the programs that run or are to run, at most `withinMs`. After that time, and at the second signal, all of
   * them are killed.
   */
  async settled(withinMs: number): Promise<void> {
    if (this.#running.size > 0) this.#deadline.set(withinMs);
    while (this.#running.size > 0) await Promise.all(this.#running.values());
    this.#deadline.stop();
    this.#context.force.removeEventListener('abort', this.#onForce);
    for (const { done } of this.#waiting.values()) done('failed', 'the run ended before its program could run');
    this.#waiting.clear();
  }
}

/** A reply may hold any bytes, and a variable holds no NUL. */
function withoutNul(text: string): string {
  return text.replaceAll('\0', '\\0');
}

function summarize(result: RunResult, { timeoutMs }: HookPlan): [HookResult, string?] {
  switch (result.kind) {
    case 'ended':
      return result.status === 0 ? ['ok'] : ['failed', `the program ended with status ${result.status}`];
    case 'failed':
      return [result.timedOut === true ? 'timeout' : 'failed', result.why];
    case 'aborted':
      return ['failed', `the program was killed, because the run ended (--exec-timeout ${formatDuration(timeoutMs)})`];
  }
}
