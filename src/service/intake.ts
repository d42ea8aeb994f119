import { AccessList } from '../guard/access-list.js';
import type { Arrivals, Datagram, Run } from '../net/index.js';
import { arrivalsOf } from '../net/runs.js';
import type { PeerTable } from '../stats/peers.js';
import type { Totals } from '../stats/totals.js';
import type { Endings } from './endings.js';
import type { ServicePlan } from './plan.js';

/** Decides which received datagrams a service takes: by `--allow`, `--deny` and `--count`. Counts all of them. */
export class Intake {
  readonly #admission: AccessList;
  readonly #most: number;
  readonly #totals: Totals;
  readonly #peers: PeerTable;
  readonly #endings: Endings;

  constructor(
    { allow = [], deny = [], count = Infinity }: ServicePlan,
    totals: Totals,
    peers: PeerTable,
    endings: Endings,
  ) {
    this.#admission = new AccessList(allow, deny);
    this.#most = count;
    this.#totals = totals;
    this.#peers = peers;
    this.#endings = endings;
  }

  /** Counts a batch. Returns the datagrams that are taken: not the denied ones, and no more than `--count` in all. */
  take(batch: readonly Datagram[]): readonly Datagram[] {
    const admission = this.#admission;
    const totals = this.#totals;
    let taken = admission.open ? batch : batch.filter(({ remote }) => admission.admits(remote));
    totals.denied += batch.length - taken.length;
    const left = this.#most - totals.received;
    if (taken.length > left) taken = taken.slice(0, left);
    if (taken.length === 0) return taken;
    totals.received += taken.length;
    this.#peers.count(taken);
    this.#endings.arrived();
    return taken;
  }

  /** Counts runs. Returns the runs that are taken: not the denied ones. The plan must have no `count`. */
  takeRuns(runs: readonly Run[]): readonly Run[] {
    const taken = this.#admission.open ? runs : runs.filter(({ remote }) => this.#admission.admits(remote));
    for (const run of runs) this.count(arrivalsOf(run));
    return taken;
  }

  /** Counts datagrams without their payloads, for a service that only counts. The plan must have no `count`. */
  readonly count = (arrivals: Arrivals): void => {
    const { remote, count } = arrivals;
    if (!this.#admission.open && !this.#admission.admits(remote)) {
      this.#totals.denied += count;
      return;
    }
    this.#totals.received += count;
    this.#peers.countTogether(arrivals);
    this.#endings.arrived();
  };
}
