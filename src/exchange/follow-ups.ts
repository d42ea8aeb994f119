import { wallClockMs } from '../net/clock.js';
import { type DatagramClient, type Endpoint, sameEndpoint } from '../net/index.js';
import type { Ending } from './ending.js';
import type { Observers } from './events.js';
import type { FirstMatch } from './first-match.js';

/** How many follow-ups are sent for each datagram that was sent: a peer that always wants more gets no more. */
const MAX_FOLLOW_UPS_A_MESSAGE = 2;

/** Sends what a protocol wants sent back to the peer before it gives its reply proper, such as a challenge. */
export class FollowUps {
  readonly #observers: Observers;
  readonly #ending: Ending;
  readonly #firstMatch: FirstMatch;
  #count = 0;
  #underWay: Promise<unknown> = Promise.resolve();
  /** Follow-ups that the kernel has neither taken nor refused. */
  #sending = 0;

  constructor(observers: Observers, ending: Ending, firstMatch: FirstMatch) {
    this.#observers = observers;
    this.#ending = ending;
    this.#firstMatch = firstMatch;
  }

  /** Whether the kernel has not yet taken or refused one. */
  get isSending(): boolean {
    return this.#sending > 0;
  }

  /** How many were sent. */
  get count(): number {
    return this.#count;
  }

  /**
   * Sends one to the sender of a reply, if that is the peer, and the peer did not have its share.
   *
   * @param client the socket that heard the reply
   * @param asked how many messages were sent, with those that were sent again
   */
  send(payload: Uint8Array, to: Endpoint, client: DatagramClient, asked: number): void {
    if (!sameEndpoint(to, client.remote) || this.#count >= MAX_FOLLOW_UPS_A_MESSAGE * asked) return;
    this.#count += 1;
    this.#firstMatch.askedAgain(wallClockMs());
    this.#underWay = Promise.all([this.#underWay, this.#send(payload, client)]);
  }

  async #send(payload: Uint8Array, client: DatagramClient): Promise<void> {
    const timesMs = this.#observers.timesOf([payload]);
    const sending = client.sendBatch([payload], { timesMs });
    this.#sending += 1;
    const failures = await sending.catch(() => undefined);
    this.#sending -= 1;
    if (failures === undefined) {
      // The exchange is over already, and its socket closed.
      this.#count -= 1;
      return;
    }
    try {
      const [failure] = failures;
      if (failure !== undefined) throw failure.error;
      await this.#observers.tellTransmitted([payload], 'follow-up', client, timesMs);
    } catch (error) {
      this.#ending.fail(error as Error);
    }
  }

  /** Settles when those under way were sent. */
  async settled(): Promise<void> {
    await this.#underWay;
  }
}
