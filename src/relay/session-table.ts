import { type Endpoint, sameEndpoint } from '../net/index.js';
import { Alarm } from '../timing/alarm.js';
import type { Session } from './session.js';

/** How many addresses have a shortcut to their session. The linux engine keeps as many addresses. */
const SHORTCUTS = 4096;

/** The open sessions: by client, and in the order of their last use. */
export class SessionTable {
  readonly #sessions = new Map<string, Session>();
  readonly #byNumber = new Map<number, Session>();
  /** The linux engine gives the same object for the same address, as long as it remembers the address. */
  readonly #shortcuts = new Map<Endpoint, Session>();
  #oldest: Session | undefined;
  #newest: Session | undefined;
  readonly #timeoutMs: number;
  readonly #alarm: Alarm;
  #peak = 0;

  /** @param onIdle called with each session that was not used for `timeoutMs`; it must remove or use the session */
  constructor(timeoutMs: number, onIdle: (session: Session) => void) {
    this.#timeoutMs = timeoutMs;
    this.#alarm = new Alarm(() => {
      const nowMs = performance.now();
      for (let first = this.#oldest; first !== undefined; first = this.#oldest) {
        if (first.usedMs + timeoutMs > nowMs) break;
        onIdle(first);
      }
      this.#setAlarm(nowMs);
    });
  }

  get size(): number {
    return this.#sessions.size;
  }

  /** The largest number of sessions at a time so far. */
  get peak(): number {
    return this.#peak;
  }

  /** The sessions in the order of their opening. */
  [Symbol.iterator](): IterableIterator<Session> {
    return this.#byNumber.values();
  }

  /** The session with this number. */
  get(number: number): Session | undefined {
    return this.#byNumber.get(number);
  }

  /** The sessions by their last use, the latest one first. */
  *latest(): Generator<Session> {
    for (let session = this.#newest; session !== undefined; session = session.before) yield session;
  }

  /** The session of a client. @param asked the address that the client sent to, if it is known */
  find(client: Endpoint, asked: Endpoint | undefined): Session | undefined {
    const known = this.#shortcuts.get(client);
    if (known !== undefined && isSame(known.asked, asked)) return known;
    const session = this.#sessions.get(keyOf(client, asked));
    if (session !== undefined) {
      if (this.#shortcuts.size >= SHORTCUTS) this.#shortcuts.clear();
      if (session.shortcut !== undefined) this.#shortcuts.delete(session.shortcut);
      session.shortcut = client;
      this.#shortcuts.set(client, session);
    }
    return session;
  }

  add(session: Session): void {
    this.#sessions.set(keyOf(session.client, session.asked), session);
    this.#byNumber.set(session.number, session);
    this.#peak = Math.max(this.#peak, this.size);
    this.#append(session);
    if (this.size === 1) this.#setAlarm(session.usedMs);
  }

  /** Notes that a session is used now. */
  use(session: Session, nowMs: number): void {
    session.usedMs = nowMs;
    if (session === this.#newest) return;
    this.#takeOut(session);
    this.#append(session);
  }

  remove(session: Session): void {
    if (this.#byNumber.get(session.number) !== session) return;
    this.#sessions.delete(keyOf(session.client, session.asked));
    this.#byNumber.delete(session.number);
    if (session.shortcut !== undefined) this.#shortcuts.delete(session.shortcut);
    this.#takeOut(session);
    if (this.size === 0) this.#alarm.stop();
  }

  #append(session: Session): void {
    session.before = this.#newest;
    session.after = undefined;
    if (this.#newest === undefined) this.#oldest = session;
    else this.#newest.after = session;
    this.#newest = session;
  }

  #takeOut({ before, after }: Session): void {
    if (before === undefined) this.#oldest = after;
    else before.after = after;
    if (after === undefined) this.#newest = before;
    else after.before = before;
  }

  #setAlarm(nowMs: number): void {
    if (this.#oldest !== undefined) this.#alarm.set(this.#oldest.usedMs + this.#timeoutMs - nowMs);
  }
}

function keyOf({ address, port }: Endpoint, asked: Endpoint | undefined): string {
  return `${address} ${port} ${asked?.address ?? ''}`;
}

function isSame(one: Endpoint | undefined, other: Endpoint | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && sameEndpoint(one, other));
}
