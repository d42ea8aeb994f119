import type { ProbeSession } from '../../probes/session.js';
import type { Exchange } from '../exchange.js';
import type { PacePlan } from '../plan.js';
import { checkPayload } from './limit.js';
import { repeats } from './pacing.js';
import { RoundsSource } from './rounds.js';
import type { Pace, Source } from './source.js';

/** The request of a probe. It is written after the socket was opened, because it may contain both addresses. */
export class ProbeSource implements Source {
  readonly rounds = 1;
  readonly measures: boolean;
  readonly #probe: ProbeSession;
  readonly #plan: PacePlan;
  readonly #limitBytes: number;
  #request: RoundsSource | undefined;

  constructor(probe: ProbeSession, plan: PacePlan, limitBytes: number) {
    this.#probe = probe;
    this.#plan = plan;
    this.#limitBytes = limitBytes;
    this.measures = repeats(plan) > 1;
  }

  get first(): Uint8Array | undefined {
    return this.#request?.first;
  }

  /** Writes the request, and sends it. @throws {UsageError} for a request that is too large for a datagram */
  async send(exchange: Exchange, pace: Pace): Promise<void> {
    const { local, remote } = exchange;
    const request = await this.#probe.start({ local, remote });
    checkPayload(`the request of the probe ${this.#probe.name}`, request, this.#limitBytes);
    this.#request = RoundsSource.of([request], this.#plan);
    await this.#request.send(exchange, pace);
  }
}
