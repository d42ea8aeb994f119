import { formatDuration } from '../text/time.js';
import { Alarm } from '../timing/alarm.js';
import type { ServicePlan } from './plan.js';

/** The options about the end of a service. */
type EndingPlan = Pick<ServicePlan, 'duration' | 'idle'>;

/** The part of a service that {@link Endings} needs. */
export interface Endable {
  /** Whether datagrams that have arrived are not handled yet. */
  isBusy(): boolean;
  /** Ends the service: it receives no more datagrams. */
  end(): void;
}

/** Ends a service: by a signal, after the time of `--duration`, or after the time of `--idle` without a datagram. */
export class Endings {
  readonly #plan: EndingPlan;
  readonly #signal: AbortSignal;
  readonly #duration = new Alarm(() => {
    this.#endInTime(`within ${formatDuration(this.#plan.duration ?? 0)}`);
  });
  readonly #idle = new Alarm(() => {
    if (this.#service?.isBusy() === true) this.arrived();
    else this.#endInTime(`before the ${formatDuration(this.#plan.idle ?? 0)} of --idle were over`);
  });
  /** Undefined before {@link start} and after {@link stop}. */
  #service: Endable | undefined;
  #timeOut: string | undefined;

  /** @param signal aborted when the user stops the service, or the output takes no more data */
  constructor(plan: EndingPlan, signal: AbortSignal) {
    this.#plan = plan;
    this.#signal = signal;
  }

  /** Starts the clocks, and from now on ends the service. If the signal is aborted already, ends it at once. */
  start(service: Endable): void {
    this.#service = service;
    if (this.#plan.duration !== undefined) this.#duration.set(this.#plan.duration);
    this.arrived();
    if (this.#signal.aborted) this.#end();
    else this.#signal.addEventListener('abort', this.#end, { once: true });
  }

  /** The time that ended the service, in words that follow "N of M datagrams came"; undefined if no time ended it. */
  get timeOut(): string | undefined {
    return this.#timeOut;
  }

  /** A datagram has arrived: starts the time of `--idle` again. */
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

  /** Stops the clocks: the service has ended. */
  stop(): void {
    this.#service = undefined;
    this.#duration.stop();
    this.#idle.stop();
    this.#signal.removeEventListener('abort', this.#end);
  }
}
