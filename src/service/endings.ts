import { formatDuration } from '../text/time.js';
import { Alarm } from '../timing/alarm.js';
import type { ServicePlan } from './plan.js';

/** A service that can be ended. */
export interface Endable {
  /** Whether a datagram that has arrived still waits. */
  isBusy(): boolean;
  /** Receives no more. */
  end(): void;
}

/** Ends a service: by a signal, after `--duration`, or after `--idle` without a datagram. */
export class Endings {
  readonly #plan: ServicePlan;
  readonly #signal: AbortSignal;
  readonly #duration = new Alarm(() => {
    this.#endInTime(`within ${formatDuration(this.#plan.duration ?? 0)}`);
  });
  readonly #idle = new Alarm(() => {
    if (this.#service?.isBusy() === true) this.arrived();
    else this.#endInTime(`before nothing came for ${formatDuration(this.#plan.idle ?? 0)}`);
  });
  /** Undefined before {@link start} and after {@link stop}. */
  #service: Endable | undefined;
  #timeOut: string | undefined;

  /** @param signal aborted when the user stops the service, or its output takes no more */
  constructor(plan: ServicePlan, signal: AbortSignal) {
    this.#plan = plan;
    this.#signal = signal;
  }

  /** Ends the service from now on, when it is time; at once if the signal is aborted already. */
  start(service: Endable): void {
    this.#service = service;
    if (this.#plan.duration !== undefined) this.#duration.set(this.#plan.duration);
    this.arrived();
    if (this.#signal.aborted) this.#end();
    else this.#signal.addEventListener('abort', this.#end, { once: true });
  }

  /** Which time was over, in words; undefined if none was. */
  get timeOut(): string | undefined {
    return this.#timeOut;
  }

  /** A datagram has arrived: the time of `--idle` begins anew. */
  arrived(): void {
    if (this.#plan.idle !== undefined && this.#service !== undefined) this.#idle.set(this.#plan.idle);
  }

  #endInTime(timeOut: string): void {
    this.#timeOut = timeOut;
    this.#end();
  }

  readonly #end = (): void => {
    const service = this.#service;
    this.stop();
    service?.end();
  };

  /** Ends the service no more: it has ended. */
  stop(): void {
    this.#service = undefined;
    this.#duration.stop();
    this.#idle.stop();
    this.#signal.removeEventListener('abort', this.#end);
  }
}
