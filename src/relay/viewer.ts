import { isWildcard } from '../net/address/endpoint.js';
import type { Datagram, Endpoint } from '../net/index.js';
import type { DatagramNote, NotedDatagram } from '../output/json-lines.js';
import { sourceOf, type Tap } from '../run/tap.js';
import type { Loss } from './counts.js';
import type { Taken } from './inbox.js';
import type { Parcel } from './lane.js';
import type { RelayPlan, Side, Way } from './plan.js';
import type { Viewer } from './relay-events.js';
import type { Session } from './session.js';

/** Writes the datagrams of all relays to stdout and to the recording, one batch at a time. */
export class Output {
  readonly #tap: Tap;
  readonly #side: Side;
  /** Whether it writes what a relay knows of a datagram. A recording as pcap has no place for it. */
  readonly hasNotes: boolean;
  #written: Promise<void> = Promise.resolve();

  /** @param side whose datagrams go to stdout */
  constructor(tap: Tap, { side, record }: Pick<RelayPlan, 'side' | 'record'>) {
    this.#tap = tap;
    this.#side = side;
    this.hasNotes = tap.writes || (record?.kind === 'file' && record.format === 'jsonl');
  }

  taken(batch: readonly NotedDatagram[]): Promise<void> {
    return (this.#written = this.#written.then(() => this.#write(batch)));
  }

  async #write(batch: readonly NotedDatagram[]): Promise<void> {
    const kept: readonly Datagram[] = await this.#tap.recordReceived(batch);
    const side = this.#side;
    const shown = side === 'both' ? kept : kept.filter(({ note }: NotedDatagram) => note?.side === side);
    if (shown.length > 0) await this.#tap.write(shown);
  }

  get records(): boolean {
    return this.#tap.records;
  }

  sent(batch: readonly NotedDatagram[]): Promise<void> {
    return this.#tap.recordSentAs(batch);
  }
}

/** Shows the datagrams of one relay. */
export class TapViewer implements Viewer {
  readonly #output: Output;
  readonly #bound: Endpoint | undefined;
  readonly #name: string | undefined;

  /**
   * @param bound the address of the relay
   * @param name its name, if there can be several relays
   */
  constructor(output: Output, bound: Endpoint, name: string | undefined) {
    this.#output = output;
    this.#name = name;
    this.#bound = isWildcard(bound.address) ? undefined : bound;
  }

  taken(batch: readonly Taken[], fates: ReadonlyMap<Taken, Loss>): Promise<void> {
    return this.#output.taken(batch.map((taken) => this.#note(taken, fates.get(taken))));
  }

  #note({ way, session, data, remote, local, timeMs }: Taken, fate: Loss | undefined): NotedDatagram {
    const own = local ?? (way === 'down' ? session?.source : this.#bound);
    return { data, remote, local: own, timeMs, note: this.#noteOf(way, session, fate) };
  }

  async sent(way: Way, parcels: readonly Parcel[], timesMs: Float64Array): Promise<void> {
    if (!this.#output.records) return;
    const sent = parcels.map(({ data, session }, index) => {
      const [remote, local] =
        way === 'up' ? [session.target, session.source] : [session.client, session.asked ?? this.#bound];
      return {
        data,
        remote,
        local: sourceOf(local),
        timeMs: timesMs[index] as number,
        note: this.#noteOf(way, session),
      };
    });
    await this.#output.sent(sent);
  }

  #noteOf(way: Way, session: Session | undefined, fate?: Loss): DatagramNote | undefined {
    if (!this.#output.hasNotes) return undefined;
    const side = way === 'up' ? 'client' : 'server';
    const relay = this.#name;
    if (relay === undefined && session !== undefined && fate === undefined) return { side, session: session.number };
    return {
      side,
      ...(relay !== undefined && { relay }),
      ...(session && { session: session.number }),
      ...(fate && { fate }),
    };
  }
}
