import { UsageError } from '../cli/usage-error.js';
import { endpointOf } from '../net/address/resolve.js';
import { formatAddress } from '../net/address/address.js';
import { isSelf } from '../net/engines/own-address.js';
import { DatagramError, type Endpoint, formatEndpoint } from '../net/index.js';
import type { Context } from '../run/context.js';
import type { KernelCounter } from '../run/drop-watch.js';
import { Account } from './account.js';
import { type Counts, createCounts } from './counts.js';
import { limitSessions, MAX_SESSIONS } from './limits.js';
import { type RelayEnds, type RelayPlan, type RelaySettings, WAYS } from './plan.js';
import { Relay } from './relay.js';
import type { RelayEvents } from './relay-events.js';
import type { EndReason } from './session.js';
import { mostSocketsEach } from './sessions.js';
import { findTargets, TargetWatch } from './target.js';

/** How often a target that is not known yet is looked up, in milliseconds. */
const RETRY_MS = 1000;

/** The counts of all relays of a run. */
export interface Sum {
  readonly counts: Counts;
  readonly opened: number;
  /** The sessions that are open. */
  readonly open: number;
  /** The largest number of sessions at a time. */
  readonly peak: number;
  readonly refusals: number;
  readonly denied: number;
  readonly rateLimited: number;
}

/** Functions that {@link Relays} calls. */
export interface RelaysEvents {
  /** Makes the functions that a relay calls. */
  readonly of: (name: string, account: Account) => RelayEvents;
  /** A relay has a new target. */
  readonly retargeted: (name: string, target: Endpoint) => void;
}

/** The relays of a run, by their names. */
export class Relays implements KernelCounter {
  readonly #plan: RelayPlan;
  readonly #context: Context;
  readonly #stopped: AbortSignal;
  readonly #events: RelaysEvents;
  readonly #accounts = new Map<string, Account>();
  /** The counts of relays whose names are not known any more. */
  readonly #removed = new Account();
  readonly #watches = new Map<Relay, TargetWatch>();
  #isOver = false;
  #max: number | undefined;
  #numbers = 0;
  #peak = 0;

  /** @param stopped aborted when the run is stopped */
  constructor(plan: RelayPlan, context: Context, stopped: AbortSignal, events: RelaysEvents) {
    this.#plan = plan;
    this.#context = context;
    this.#stopped = stopped;
    this.#events = events;
  }

  /** The relays that run. */
  get running(): readonly Relay[] {
    return [...this.#accounts.values()].flatMap(({ relay }) => relay ?? []);
  }

  /** The counts by name. */
  get accounts(): ReadonlyMap<string, Account> {
    return this.#accounts;
  }

  /**
   * Binds a relay. Its datagrams wait until {@link Relay.begin}.
   *
   * @param waits whether the relay also starts if its target is not found. Then it is looked up again and again.
   * @throws {DatagramError} if an address cannot be resolved or bound
   * @throws {UsageError} for a target that is the relay itself
   */
  async bind(name: string, ends: RelayEnds, faults: RelaySettings['faults'], waits = false): Promise<Relay> {
    const settings = { ...this.#plan, ...ends, faults };
    const found = await this.#find(settings, waits);
    const listen = endpointOf(ends.listen, settings.socket.family);
    const targets = listen === undefined ? found : withoutSelf(listen, found);
    const account = this.note(name);
    const limits = { max: this.#limit(), nextNumber: () => this.#nextNumber() };
    const relay = await Relay.start(settings, targets, limits, this.#events.of(name, account));
    try {
      relay.targets = withoutSelf(relay.server.local, targets);
      if (this.#isOver) throw new DatagramError('CLOSED', 'the run has ended');
    } catch (error) {
      await relay.close('end');
      throw error;
    }
    account.begin(relay);
    this.#watch(name, relay, settings, found);
    return relay;
  }

  /** Returns the counts of a name. From now on the name is known, also without a relay. */
  note(name: string): Account {
    const known = this.#accounts.get(name);
    if (known !== undefined) return known;
    const account = new Account();
    this.#accounts.set(name, account);
    return account;
  }

  async #find(settings: RelaySettings, waits: boolean): Promise<readonly Endpoint[]> {
    try {
      return await findTargets(settings, this.#context, this.#stopped);
    } catch (error) {
      if (!waits || !(error instanceof DatagramError) || settings.target.host.kind !== 'name') throw error;
      const what = `datagrams for ${formatAddress(settings.target)} are lost until it is found`;
      this.#context.log.warn(`${what}: ${error.message}`, { code: error.code });
      return [];
    }
  }

  #watch(name: string, relay: Relay, settings: RelaySettings, known: readonly Endpoint[]): void {
    const { resolve } = this.#plan;
    if (resolve === undefined && relay.target !== undefined) return;
    const watch = new TargetWatch(settings, this.#context, known, resolve ?? RETRY_MS, (found) => {
      const targets = found.filter((target) => !isSelf(relay.server.local, target));
      const [target] = targets;
      if (target === undefined) return;
      relay.targets = targets;
      if (resolve === undefined) watch.stop();
      this.#events.retargeted(name, target);
    });
    this.#watches.set(relay, watch);
  }

  /** The number of sessions of each relay. */
  #limit(): number {
    if (this.#max !== undefined) return this.#max;
    const { maxSessions: asked = MAX_SESSIONS, rebind } = this.#plan;
    const { most, why = '' } = limitSessions(asked, mostSocketsEach(rebind));
    if (most < asked) this.#context.log.warn(`at most ${most} sessions instead of ${asked}: the system has ${why}`);
    this.#max = most;
    return most;
  }

  #nextNumber(): number {
    let open = 1;
    for (const account of this.#accounts.values()) open += account.open;
    this.#peak = Math.max(this.#peak, open);
    return ++this.#numbers;
  }

  /** Ends the relay of a name, if it runs. @param isForced see {@link Relay.close} */
  async end(name: string, reason: EndReason, isForced = false): Promise<void> {
    const account = this.#accounts.get(name);
    const relay = account?.relay;
    if (relay === undefined) return;
    this.#watches.get(relay)?.stop();
    this.#watches.delete(relay);
    await relay.close(reason, isForced);
    account?.end();
  }

  /** Ends all relays. None can be started afterwards. */
  async endAll(reason: EndReason, isForced: boolean): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#accounts.keys()].map((name) => this.end(name, reason, isForced)));
  }

  /** Forgets a name whose relay has ended. Its counts stay in {@link sum}. */
  forget(name: string): void {
    const account = this.#accounts.get(name);
    if (account === undefined) return;
    this.#removed.take(account);
    this.#accounts.delete(name);
  }

  sum(): Sum {
    const all = [this.#removed, ...this.#accounts.values()];
    const counts = createCounts();
    for (const account of all) {
      const own = account.counts();
      for (const way of WAYS) counts[way].add(own[way]);
    }
    const total = (of: (account: Account) => number): number => all.reduce((sum, account) => sum + of(account), 0);
    return {
      counts,
      opened: total(({ opened }) => opened),
      open: total(({ open }) => open),
      peak: this.#peak,
      refusals: total(({ refusals }) => refusals),
      denied: total(({ denied }) => denied),
      rateLimited: total(({ rateLimited }) => rateLimited),
    };
  }

  get kernelDropped(): number | undefined {
    let sum = 0;
    for (const { kernelDropped } of [this.#removed, ...this.#accounts.values()]) {
      if (kernelDropped === undefined) return undefined;
      sum += kernelDropped;
    }
    return sum;
  }

  get kernelDropsAreLowerBound(): boolean {
    return this.running.some(({ kernelDropsAreLowerBound }) => kernelDropsAreLowerBound);
  }
}

/**
 * Leaves out the addresses whose datagrams a socket bound to `local` would get.
 *
 * @throws {UsageError} if none is left
 */
function withoutSelf(local: Endpoint, targets: readonly Endpoint[]): readonly Endpoint[] {
  const others = targets.filter((target) => local.port === 0 || !isSelf(local, target));
  const [first] = targets;
  if (first === undefined || others.length > 0) return others;
  throw new UsageError(`the target ${formatEndpoint(first)} is the relay itself: datagrams would go round for ever`);
}
