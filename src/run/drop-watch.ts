import type { Totals } from '../stats/totals.js';
import { Alarm } from '../timing/alarm.js';
import type { Context } from './context.js';
import type { RunPlan } from './plan.js';
import type { RunOutput } from './tap.js';

/** How often the kernel is asked for its drops, and how often drops are reported. */
const DROP_REPORT_MS = 250;

/** A counter of the datagrams that the kernel dropped, on one socket or on several. */
export interface KernelCounter {
  /** The drops so far. Undefined where the system does not tell. */
  readonly kernelDropped: number | undefined;
  /** Whether the kernel may have dropped more than the last value of `kernelDropped`. */
  readonly kernelDropsAreLowerBound: boolean;
}

/** Counts the datagrams that the kernel, the queue and the output drop. Reports them while the run goes on. */
export class DropWatch {
  readonly #plan: RunPlan;
  readonly #context: Context;
  readonly #totals: Totals;
  readonly #output: RunOutput;
  readonly #unreported = { kernel: 0, queue: 0 };
  readonly #warned = { kernel: false, queue: false };
  #kernelCounter: KernelCounter | undefined;
  #kernelWasAsked = false;
  #kernelPoll: NodeJS.Timeout | undefined;
  readonly #reportAlarm = new Alarm(() => {
    // If the reader of stdout does not read, events would fill the memory.
    if (this.#context.stdout.writableLength > 0) this.#reportAlarm.set(DROP_REPORT_MS);
    else this.#report();
  });

  constructor(plan: RunPlan, context: Context, totals: Totals, output: RunOutput) {
    this.#plan = plan;
    this.#context = context;
    this.#totals = totals;
    this.#output = output;
  }

  /** Counts datagrams that the full queue dropped. Warns of the first ones. */
  queueDropped(count: number): void {
    this.#totals.drops.queue += count;
    this.#warn('queue', `the queue of ${this.#plan.queueSize} is full, and datagrams are dropped (--queue-size)`);
    this.#add('queue', count);
  }

  /** Counts replies that are left in the queue at the end, and warns of them. */
  queueLeft(count: number): void {
    this.#totals.drops.queue += count;
    this.#context.log.warn(`the time is over: ${count} replies that had arrived are dropped without being judged`);
    this.#add('queue', count);
  }

  /**
   * Asks a counter every 250 ms until {@link close}. `close` asks it a last time, but only if it was asked before: call
   * {@link askKernel} in a run that may be shorter.
   */
  watchKernel(counter: KernelCounter): void {
    this.#kernelCounter = counter;
    this.#kernelPoll = setInterval(() => {
      this.askKernel();
    }, DROP_REPORT_MS).unref();
  }

  /** Whether the drops of the kernel are unknown, although it is asked. */
  get kernelIsUnknown(): boolean {
    return this.#kernelPoll !== undefined && this.#totals.drops.kernel === undefined;
  }

  /** Asks the kernel for its drops now, and counts them. */
  askKernel(): void {
    this.#kernelWasAsked = true;
    const dropped = this.#kernelCounter?.kernelDropped;
    if (dropped === undefined) return;
    const { drops } = this.#totals;
    drops.kernelIsLowerBound = this.#kernelCounter?.kernelDropsAreLowerBound === true;
    const count = dropped - (drops.kernel ?? 0);
    drops.kernel = dropped;
    if (count === 0) return;
    this.#warn('kernel', "the kernel's receive buffer is full, and datagrams are dropped (--recv-buffer)");
    this.#add('kernel', count);
  }

  /** Asks the kernel again, if it was asked before. */
  askKernelAgain(): void {
    if (this.#kernelWasAsked) this.askKernel();
  }

  /** Updates the counts of the output. */
  countOutput(): void {
    this.#totals.drops.output = this.#output.dropped;
    this.#totals.unrecorded = this.#output.unrecorded;
  }

  /** Ends the watch. Counts all drops a last time, and reports the remaining drops of the kernel and the queue. */
  close(): void {
    clearInterval(this.#kernelPoll);
    this.askKernelAgain();
    this.#report();
    this.countOutput();
  }

  #warn(where: 'kernel' | 'queue', message: string): void {
    if (this.#warned[where]) return;
    this.#warned[where] = true;
    this.#context.log.warn(message);
  }

  #add(where: 'kernel' | 'queue', count: number): void {
    const { kernel, queue } = this.#unreported;
    if (kernel + queue === 0) this.#reportAlarm.set(DROP_REPORT_MS);
    this.#unreported[where] += count;
  }

  #report(): void {
    this.#reportAlarm.stop();
    for (const where of ['kernel', 'queue'] as const) {
      const count = this.#unreported[where];
      if (count > 0) this.#output.event({ type: 'drop', where, count });
      this.#unreported[where] = 0;
    }
  }
}
