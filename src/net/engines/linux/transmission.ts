import { type Endpoint, type Family, isMulticast, LIMITED_BROADCAST, sameEndpoint } from '../../address/endpoint.js';
import type { EngineOutgoing } from '../engine.js';
import { isChanged } from '../errors.js';
import { AddressWriter } from './addresses.js';
import { IP_PKTINFO, IPV6_PKTINFO, SOL_IP, SOL_IPV6, SOL_UDP, UDP_SEGMENT } from './constants.js';
import { Memory } from './memory.js';
import { aligned, CMSGHDR, Messages } from './messages.js';
import type { SystemCalls } from './system-calls.js';

/** Messages that one system call sends at most. */
const SENT_AT_ONCE = 64;
/** Segments that a message may have (`UDP_MAX_SEGMENTS`) since Linux 6.9, and before. */
const MOST_SEGMENTS = 128;
const MOST_SEGMENTS_BEFORE = 64;
/** Bytes of all segments of a message together: what one datagram to IPv4 may hold. */
const MOST_SEGMENTED_BYTES = 65_507;
/** No datagram is larger, in either family. */
export const MOST_BYTES = 65_535;
/** Payloads that one system call sends at most, in bytes. */
const PAYLOAD_BYTES = 512 * 1024;
/** The size of segments and a source address take less. */
const CONTROL_BYTES = 64;

/** How a socket sends. */
export interface Route {
  readonly family: Family;
  /** Whether the kernel knows the destination. */
  readonly connected: boolean;
  /** Where to, unless a datagram says so itself. */
  readonly remote: Endpoint | undefined;
  /** The largest datagrams that are sent as segments of one message; 0 if none are. */
  readonly segmentLimit: number;
  /** Datagrams of the batch before this one are sent one by one. */
  readonly singlyUntil: number;
  /** Addresses that are not named as a source: the bound one, and those that the kernel does not take for one. */
  readonly unnamed: ReadonlySet<string>;
  /** The interface by which datagrams to these addresses leave, from the address `from`; undefined: routes choose it. */
  readonly broadcasts:
    { readonly interface: string; readonly addresses: ReadonlySet<string>; readonly from: string } | undefined;
}

/** Memory from which datagrams are sent, one for all sockets, because nothing is left in it between two calls. */
export class Transmission {
  readonly #calls: SystemCalls;
  readonly #messages: Messages;
  readonly #payloads: Memory;
  readonly #addresses: AddressWriter;
  /** Where in the batch each message ends. */
  readonly #ends = new Int32Array(SENT_AT_ONCE);
  #mostSegments = MOST_SEGMENTS;
  /** The batch that was looked at last, and whether it is one datagram over and over: at full speed it comes again and again. */
  #examined: readonly EngineOutgoing[] | undefined;
  #repeats = false;

  constructor(calls: SystemCalls) {
    this.#calls = calls;
    this.#messages = new Messages(SENT_AT_ONCE, CONTROL_BYTES, calls.addressOf);
    this.#payloads = new Memory(PAYLOAD_BYTES, calls.addressOf);
    this.#addresses = new AddressWriter(calls);
  }

  get addresses(): AddressWriter {
    return this.#addresses;
  }

  /** The place in the batch after the last datagram of the nth message. */
  endOf(nth: number): number {
    return this.#ends[nth] as number;
  }

  /** Whether the kernel may take a message of fewer segments than the one it refused: no other will have so many. */
  limitSegments(refused: number): boolean {
    if (refused <= MOST_SEGMENTS_BEFORE) return false;
    this.#mostSegments = MOST_SEGMENTS_BEFORE;
    return true;
  }

  /**
   * Lays out the datagrams of a batch from one on, as many as fit: runs of one size to one peer become segments of one
   * message. Returns how many messages that makes; none if the first datagram is larger than any can be, or its memory was
   * detached or changed its size.
   */
  lay(batch: readonly EngineOutgoing[], from: number, route: Route): number {
    const payloads = this.#payloads.bytes;
    const repeats = this.#isRepetition(batch);
    let count = 0;
    let used = 0;
    let index = from;
    // A run of one and the same payload is laid out once, however many messages it fills.
    let repeated: Uint8Array | undefined;
    let repeatedAt = 0;
    let repeatedBytes = 0;
    for (; count < SENT_AT_ONCE && index < batch.length; count += 1) {
      const first = batch[index] as EngineOutgoing;
      const { data } = first;
      const size = data.length;
      if (isChanged(first) || size > MOST_BYTES || size > PAYLOAD_BYTES - used) break;
      const most =
        size === 0 || size > route.segmentLimit || index < route.singlyUntil
          ? 1
          : Math.min(
              this.#mostSegments,
              batch.length - index,
              Math.floor(Math.min(MOST_SEGMENTED_BYTES, PAYLOAD_BYTES - used) / size),
            );
      let segments = repeats ? most : 1;
      while (segments < most && isAlike(batch[index + segments] as EngineOutgoing, first)) segments += 1;
      let total = segments * size;
      let at = used;
      if (data === repeated && total <= repeatedBytes) at = repeatedAt;
      else fill(payloads, at, data, total);
      let isUniform = true;
      while (segments < most) {
        const next = batch[index + segments] as EngineOutgoing;
        const bytes = next.data.length;
        // The last segment may be shorter, but not empty.
        if (isChanged(next) || bytes > size || bytes === 0 || !goesAlong(next, first)) break;
        if (isUniform && at !== used) {
          fill(payloads, used, data, total);
          at = used;
        }
        isUniform = false;
        payloads.set(next.data, at + total);
        total += bytes;
        segments += 1;
        if (bytes < size) break;
      }
      if (isUniform && at === used) {
        repeated = data;
        repeatedAt = at;
        repeatedBytes = total;
      }
      if (at === used) used += total;
      this.#messages.setBuffer(count, this.#payloads.address + at, total);
      this.#address(count, first, route, segments > 1 ? size : 0);
      index += segments;
      this.#ends[count] = index;
    }
    return count;
  }

  #isRepetition(batch: readonly EngineOutgoing[]): boolean {
    if (batch !== this.#examined) {
      const [first] = batch;
      this.#examined = batch;
      this.#repeats = first !== undefined && batch.every((next) => isAlike(next, first));
    }
    return this.#repeats;
  }

  /** Gives so many messages to the kernel, without waiting: how many it has taken, at least one, or -1 with `errno`. */
  send(fd: number, messages: number): number {
    return this.#calls.sendmmsg(fd, this.#messages.memory.address, messages, 0);
  }

  #address(nth: number, { remote, local }: EngineOutgoing, route: Route, segmentBytes: number): void {
    const messages = this.#messages;
    const { memory } = messages;
    const to = remote ?? route.remote;
    const nameLength =
      route.connected || to === undefined
        ? 0
        : this.#addresses.writeName(memory, messages.nameOffset(nth), to, route.family);
    messages.setNameLength(nth, nameLength);
    const start = messages.controlOffset(nth);
    let at = start;
    if (segmentBytes > 0) {
      memory.view.setUint16(messages.startControl(at, SOL_UDP, UDP_SEGMENT, 2), segmentBytes, true);
      at += aligned(CMSGHDR.bytes + 2);
    }
    const source = sourceOf(to, local, route);
    if (source !== undefined) {
      const data = at + CMSGHDR.bytes;
      const length = this.#addresses.writeSource(memory, data, source, route.family);
      if (route.family === 4) messages.startControl(at, SOL_IP, IP_PKTINFO, length);
      else messages.startControl(at, SOL_IPV6, IPV6_PKTINFO, length);
      at += aligned(CMSGHDR.bytes + length);
    }
    messages.setControlLength(nth, at - start);
  }
}

/** Where a datagram is to leave from, and by which interface; undefined if the kernel chooses both. */
function sourceOf(
  to: Endpoint | undefined,
  local: Endpoint | undefined,
  { unnamed, broadcasts }: Route,
): { readonly address: string; readonly interface?: string } | undefined {
  const isSource = local !== undefined && !unnamed.has(local.address) && canBeSource(local.address);
  if (to === undefined || broadcasts?.addresses.has(to.address) !== true) return isSource ? local : undefined;
  return { address: isSource ? local.address : broadcasts.from, interface: broadcasts.interface };
}

/** Whether an address can be the source of a datagram, as one cannot be to which many were sent. */
function canBeSource(address: string): boolean {
  return !isMulticast(address) && address !== LIMITED_BROADCAST && address !== '0.0.0.0' && address !== '::';
}

function goesAlong(next: EngineOutgoing, first: EngineOutgoing): boolean {
  return isSame(next.remote, first.remote) && isSame(next.local, first.local);
}

function isAlike(next: EngineOutgoing, first: EngineOutgoing): boolean {
  return next.data === first.data && next.bytes === first.bytes && goesAlong(next, first);
}

function isSame(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameEndpoint(a, b));
}

/** Writes a payload over and over, until `total` bytes are written. */
function fill(target: Uint8Array, at: number, data: Uint8Array, total: number): void {
  target.set(data, at);
  for (let filled = data.length; filled < total;) {
    const bytes = Math.min(filled, total - filled);
    target.copyWithin(at + filled, at, at + bytes);
    filled += bytes;
  }
}
