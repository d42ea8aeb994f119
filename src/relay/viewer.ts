import type { Datagram } from '../net/index.js';
import type { DatagramNote, NotedDatagram } from '../output/json-lines.js';
import type { Tap } from '../run/tap.js';
import type { Loss } from './counts.js';
import type { Taken } from './inbox.js';
import type { Parcel } from './lane.js';
import type { Side, Way } from './plan.js';
import type { Viewer } from './relay-events.js';
import type { Session } from './session.js';

/** Writes the datagrams of a relay to stdout, and those of both wires to the recording. */
export class TapViewer implements Viewer {
  readonly #tap: Tap;
  readonly #side: Side;

  /** @param side whose datagrams go to stdout */
  constructor(tap: Tap, side: Side) {
    this.#tap = tap;
    this.#side = side;
  }

  async taken(batch: readonly Taken[], fates: ReadonlyMap<Taken, Loss>): Promise<void> {
    const noted = batch.map((taken) => this.#note(taken, fates.get(taken)));
    const kept: readonly Datagram[] = await this.#tap.recordReceived(noted);
    const side = this.#side;
    const shown = side === 'both' ? kept : kept.filter(({ note }: NotedDatagram) => note?.side === side);
    if (shown.length > 0) await this.#tap.write(shown);
  }

  #note({ way, session, data, remote, local, timeMs }: Taken, fate: Loss | undefined): NotedDatagram {
    const own = local ?? (way === 'down' ? session?.source : undefined);
    return { data, remote, local: own, timeMs, note: noteOf(way === 'up' ? 'client' : 'server', session, fate) };
  }

  async sent(way: Way, parcels: readonly Parcel[], timesMs: Float64Array): Promise<void> {
    if (!this.#tap.records) return;
    const sent = parcels.map(({ data, session }) => ({
      data,
      ...(way === 'up'
        ? { remote: session.target, local: session.source }
        : { remote: session.client, local: session.asked }),
      note: noteOf(way === 'up' ? 'client' : 'server', session),
    }));
    await this.#tap.recordSent(sent, timesMs);
  }
}

function noteOf(side: DatagramNote['side'], session: Session | undefined, fate?: Loss): DatagramNote {
  return { side, ...(session && { session: session.number }), ...(fate && { fate }) };
}
