import { wallClockMs } from '../net/clock.js';
import { type DatagramClient, type Endpoint, sameEndpoint } from '../net/index.js';
import type { Ending } from './ending.js';
import type { Observers } from './events.js';
import type { FirstMatch } from './first-match.js';

/**
 * The maximum number of follow-ups for each sent message. It bounds the traffic with a peer that wants more and more of
 * them.
 */
const MAX_FOLLOW_UPS_A_MESSAGE = 2;

/** Sends follow-ups: datagrams that a protocol wants from the client before the decisive reply, for example a challenge sent back. */
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

  /** Whether a follow-up waits for the kernel to take it. */
  get isSending(): boolean {
    return this.#sending > 0;
  }

  /** How many follow-ups were sent. */
  get count(): number {
    return this.#count;
  }

  /**
   * Sends a follow-up to the sender of a reply. Does nothing if the sender is not the peer, or if the peer got two follow-ups
   * for each message already.
   *
   * @param client the socket that received the reply
   * @param asked how many messages and retransmissions were sent
   */
  send(payload: Uint8Array, to: Endpoint, client: DatagramClient, asked: number): void {
    if (!sameEndpoint(to, client.remote) || this.#count >= MAX_FOLLOW_UPS_A_MESSAGE * asked) return;
    this.#count += 1;
    this.#firstMatch.askedAgain(wallClockMs());
    this.#underWay = Promise.all([this.#underWay, this.#send(payload, client)]);
  }

  async #send(payload: Uint8Array, client: DatagramClient): Promise<void> {
    const timesMs = new Float64Array(1);
    const sending = client.sendBatch([payload], { timesMs });
    this.#sending += 1;
    const failures = await sending.catch(() => undefined);
    this.#sending -= 1;
    if (failures === undefined) {
      // The exchange is over, and has closed the socket.
      this.#count -= 1;
      return;
    }
    try {
      const [failure] = failures;
      if (failure !== undefined) throw failure.error;
      this.#firstMatch.sentAt(timesMs[0] as number);
      await this.#observers.tellTransmitted([payload], 'follow-up', client, timesMs);
    } catch (error) {
      this.#ending.fail(error as Error);
    }
  }

  /** Settles when no follow-up is under way. */
  async settled(): Promise<void> {
    await this.#underWay;
  }
}
