import { type Counts, createCounts } from './counts.js';
import { WAYS } from './plan.js';
import type { Relay } from './relay.js';

/** The counts of the relays of one name, which ran one after another. */
export class Account {
  #relay: Relay | undefined;
  /** Refusals by the target. */
  refusals = 0;
  /** The counts of relays that have ended. */
  readonly #former = { counts: createCounts(), opened: 0, denied: 0, rateLimited: 0, kernelDropped: 0 };

  /** The relay that runs. */
  get relay(): Relay | undefined {
    return this.#relay;
  }

  begin(relay: Relay): void {
    this.#relay = relay;
  }

  /** The relay has ended: keeps its counts. */
  end(): void {
    const relay = this.#relay;
    this.#relay = undefined;
    if (relay === undefined) return;
    const { counts } = this.#former;
    for (const way of WAYS) counts[way].add(relay.lanes[way].counts);
    this.#former.opened += relay.sessions.opened;
    this.#former.denied += relay.admission.denied;
    this.#former.rateLimited += relay.admission.rateLimited;
    this.#former.kernelDropped += relay.kernelDropped ?? 0;
  }

  /** Takes the counts of another account, whose relays have ended. */
  take(other: Account): void {
    const [own, added] = [this.#former, other.#former];
    for (const way of WAYS) own.counts[way].add(added.counts[way]);
    own.opened += added.opened;
    own.denied += added.denied;
    own.rateLimited += added.rateLimited;
    own.kernelDropped += added.kernelDropped;
    this.refusals += other.refusals;
  }

  /** The counts of all its relays. */
  counts(): Counts {
    const sum = createCounts();
    for (const way of WAYS) {
      sum[way].add(this.#former.counts[way]);
      if (this.#relay !== undefined) sum[way].add(this.#relay.lanes[way].counts);
    }
    return sum;
  }

  get opened(): number {
    return this.#former.opened + (this.#relay?.sessions.opened ?? 0);
  }

  get open(): number {
    return this.#relay?.sessions.table.size ?? 0;
  }

  get denied(): number {
    return this.#former.denied + (this.#relay?.admission.denied ?? 0);
  }

  get rateLimited(): number {
    return this.#former.rateLimited + (this.#relay?.admission.rateLimited ?? 0);
  }

  /** Datagrams that the kernel dropped. Undefined if that cannot be known. */
  get kernelDropped(): number | undefined {
    if (this.#relay === undefined) return this.#former.kernelDropped;
    const own = this.#relay.kernelDropped;
    return own === undefined ? undefined : this.#former.kernelDropped + own;
  }
}
