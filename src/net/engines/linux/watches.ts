import { arch } from 'node:os';
import {
  EPOLL_CLOEXEC,
  EPOLL_CTL_ADD,
  EPOLL_CTL_DEL,
  EPOLL_CTL_MOD,
  EPOLLERR,
  EPOLLIN,
  EPOLLOUT,
  EPOLLRDHUP,
} from './constants.js';
import { Memory } from './memory.js';
import { type Readiness, systemError, type SystemCalls, type Watch, type WatchCallback } from './system-calls.js';

/** How many descriptors the event loop watches itself. */
const MOST_DIRECT = 4;
/** How many descriptors one system call reports at most. */
const REPORTED_AT_ONCE = 256;
/** Size of `struct epoll_event` and offset of its data, in bytes. On x64 the structure is packed (epoll_ctl(2)). */
const EVENT = arch() === 'x64' ? { bytes: 12, data: 4 } : { bytes: 16, data: 8 };

type WatchCalls = Pick<
  SystemCalls,
  'addressOf' | 'close' | 'epoll_create1' | 'epoll_ctl' | 'epoll_wait' | 'errno' | 'watch'
>;

/**
 * Watches descriptors. The event loop watches the first few itself, which is fastest for them. It watches all others through
 * one epoll instance (epoll(7)): one system call then reports many of them, in place of one step of the event loop for each.
 */
export class Watches {
  readonly #calls: WatchCalls;
  readonly #group: WatchGroup;
  #direct = 0;

  constructor(calls: WatchCalls) {
    this.#calls = calls;
    this.#group = new WatchGroup(calls);
  }

  /** See {@link SystemCalls.watch}. @throws {Error} if the kernel cannot watch the descriptor */
  watch(fd: number, readiness: Readiness, callback: WatchCallback): Watch {
    if (this.#direct >= MOST_DIRECT) return this.#group.watch(fd, readiness, callback);
    const watch = this.#calls.watch(fd, readiness, callback);
    this.#direct += 1;
    return {
      start: (wanted, next) => {
        watch.start(wanted, next);
      },
      stop: () => {
        watch.stop();
      },
      close: () => {
        this.#direct -= 1;
        watch.close();
      },
    };
  }
}

/** Descriptors that one epoll instance watches. The instance is open as long as there are any. */
class WatchGroup {
  readonly #calls: WatchCalls;
  readonly #reported: Memory;
  /** Room for one event, the argument of epoll_ctl(2). */
  readonly #wanted: Memory;
  readonly #watches = new Map<number, GroupWatch>();
  #numbers = 0;
  #epoll = -1;
  #watch: Watch | undefined;

  constructor(calls: WatchCalls) {
    this.#calls = calls;
    this.#reported = new Memory(REPORTED_AT_ONCE * EVENT.bytes, calls.addressOf);
    this.#wanted = new Memory(EVENT.bytes, calls.addressOf);
  }

  watch(fd: number, readiness: Readiness, callback: WatchCallback): Watch {
    if (this.#watch === undefined) this.#open();
    this.#numbers = (this.#numbers + 1) >>> 0;
    const watch = new GroupWatch(this, fd, this.#numbers, callback);
    this.#watches.set(watch.number, watch);
    try {
      watch.start(readiness);
    } catch (error) {
      this.remove(watch);
      throw error;
    }
    return watch;
  }

  #open(): void {
    const { epoll_create1: create, watch, errno, close } = this.#calls;
    const fd = create(EPOLL_CLOEXEC);
    if (fd < 0) throw systemError('epoll_create1', errno());
    try {
      this.#watch = watch(fd, { readable: true, writable: false }, this.#report);
      this.#epoll = fd;
    } catch (error) {
      close(fd);
      throw error;
    }
  }

  /** Calls the callbacks of the descriptors that are ready. Any others are ready again in the next round of the event loop. */
  readonly #report = (): void => {
    const { view, address } = this.#reported;
    const count = this.#calls.epoll_wait(this.#epoll, address, REPORTED_AT_ONCE, 0);
    for (let at = 0; at < count * EVENT.bytes; at += EVENT.bytes) {
      // A callback may have ended a watch that was reported together with its own.
      this.#watches.get(view.getUint32(at + EVENT.data, true))?.report(view.getUint32(at, true));
    }
  };

  /** Calls epoll_ctl(2) for a descriptor. */
  control(operation: number, { fd, number }: GroupWatch, conditions = 0): void {
    const { view, address } = this.#wanted;
    view.setUint32(0, conditions, true);
    view.setUint32(EVENT.data, number, true);
    const { epoll_ctl: control, errno } = this.#calls;
    if (control(this.#epoll, operation, fd, address) !== 0) throw systemError('epoll_ctl', errno());
  }

  remove({ number }: GroupWatch): void {
    this.#watches.delete(number);
    if (this.#watches.size > 0) return;
    this.#watch?.close();
    this.#watch = undefined;
    this.#calls.close(this.#epoll);
    this.#epoll = -1;
  }
}

/** The watch of one descriptor. It behaves as a watch of libuv does. */
class GroupWatch implements Watch {
  readonly fd: number;
  readonly number: number;
  readonly #group: WatchGroup;
  #callback: WatchCallback;
  #isWatching = false;

  constructor(group: WatchGroup, fd: number, number: number, callback: WatchCallback) {
    this.#group = group;
    this.fd = fd;
    this.number = number;
    this.#callback = callback;
  }

  start({ readable, writable, disconnect }: Readiness, callback = this.#callback): void {
    this.#callback = callback;
    const conditions = (readable ? EPOLLIN : 0) | (writable ? EPOLLOUT : 0) | (disconnect === true ? EPOLLRDHUP : 0);
    this.#group.control(this.#isWatching ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, this, conditions);
    this.#isWatching = true;
  }

  stop(): void {
    if (this.#isWatching) this.#group.control(EPOLL_CTL_DEL, this);
    this.#isWatching = false;
  }

  close(): void {
    this.stop();
    this.#group.remove(this);
  }

  /** The descriptor is ready. An error ends the watch. */
  report(conditions: number): void {
    if (!this.#isWatching) return;
    const hasFailed = (conditions & EPOLLERR) !== 0;
    if (hasFailed) this.stop();
    this.#callback(hasFailed ? -1 : 0);
  }
}
