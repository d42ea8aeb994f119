import { type Endpoint, type Family, isMulticast, LIMITED_BROADCAST, sameEndpoint } from '../../address/endpoint.js';
import { isRun } from '../../runs.js';
import type { EngineOutgoing } from '../engine.js';
import { isChanged } from '../errors.js';
import { AddressWriter } from './addresses.js';
import {
  IP_PKTINFO,
  IPV6_PKTINFO,
  SO_TIMESTAMPING,
  SOF_TIMESTAMPING_TX_SOFTWARE,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_UDP,
  UDP_SEGMENT,
} from './constants.js';
import { Memory } from './memory.js';
import { aligned, CMSGHDR, Messages } from './messages.js';
import type { SystemCalls } from './system-calls.js';

/** How many messages one system call sends at most. */
const SENT_AT_ONCE = 64;
/** How many segments a message may have (`UDP_MAX_SEGMENTS`) since Linux 6.9. */
const MOST_SEGMENTS = 128;
/** How many segments a message may have before Linux 6.9. */
const MOST_SEGMENTS_BEFORE = 64;
/** How many bytes the segments of a message may have together: the largest payload to IPv4. */
const MOST_SEGMENTED_BYTES = 65_507;
/** An upper bound of the payload of a datagram, in bytes. Larger ones are refused without a system call. */
export const MOST_BYTES = 65_535;
/** How many bytes of payload one system call sends at most. */
const PAYLOAD_BYTES = 512 * 1024;
/** Room for the control data of a message: the request for a time, the size of segments and the source address. */
const CONTROL_BYTES = 96;

/** How a socket sends the datagrams of a batch. */
export interface Route {
  readonly family: Family;
  /** Whether the socket is connected: then messages have no address. */
  readonly connected: boolean;
  /** The destination of datagrams that have none of their own. */
  readonly remote: Endpoint | undefined;
  /** Datagrams of up to this size, in bytes, are sent as segments of one message; 0 for none. */
  readonly segmentLimit: number;
  /** Datagrams of the batch before this one are sent one by one. */
  readonly singlyUntil: number;
  /** Source addresses that are left out: the bound address, and addresses that the kernel refused as a source. */
  readonly unnamed: ReadonlySet<string>;
  /** Whether to ask the kernel for the time when it sends the first message. The error queue of the socket then has that time. */
  readonly timed: boolean;
  /** Datagrams to these addresses leave by this interface and from the address `from`. Undefined: routes decide. */
  readonly broadcasts:
    { readonly interface: string; readonly addresses: ReadonlySet<string>; readonly from: string } | undefined;
}

/** The memory from which system calls send datagrams. All sockets share it, because no data stay in it after a call. */
export class Transmission {
  readonly #calls: SystemCalls;
  readonly #messages: Messages;
  readonly #payloads: Memory;
  /** The memory of received payloads, from which runs are sent without a copy. */
  readonly #received: Memory;
  readonly #addresses: AddressWriter;
  /** For each message the place in the batch after its last datagram. */
  readonly #ends = new Int32Array(SENT_AT_ONCE);
  #mostSegments = MOST_SEGMENTS;
  /** The batch that `#repeats` is about. At full speed a caller sends the same batch many times. */
  #examined: readonly EngineOutgoing[] | undefined;
  /** Whether all datagrams of that batch are the same. */
  #repeats = false;

  constructor(calls: SystemCalls, received: Memory) {
    this.#calls = calls;
    this.#received = received;
    this.#messages = new Messages(SENT_AT_ONCE, CONTROL_BYTES, calls.addressOf);
    this.#payloads = new Memory(PAYLOAD_BYTES, calls.addressOf);
    this.#addresses = new AddressWriter(calls);
  }

  get addresses(): AddressWriter {
    return this.#addresses;
  }

  /** The place in the batch after the last datagram of message `nth`. */
  endOf(nth: number): number {
    return this.#ends[nth] as number;
  }

  /**
   * Limits messages to 64 segments, after the kernel refused one of `refused` segments. Returns false if that message
   * had no more than 64: then their number was not the reason.
   */
  limitSegments(refused: number): boolean {
    if (refused <= MOST_SEGMENTS_BEFORE) return false;
    this.#mostSegments = MOST_SEGMENTS_BEFORE;
    return true;
  }

  /**
   * Writes datagrams of a batch into messages, from place `from` on, as many as fit. Successive datagrams of one size
   * to one peer become segments of one message, and so do successive runs of one size. Returns the number of messages: 0 if the first datagram is
   * larger than any limit, or its memory was detached or resized, or the first item is a run that no message can carry.
   */
  lay(batch: readonly EngineOutgoing[], from: number, route: Route): number {
    const payloads = this.#payloads.bytes;
    const repeats = this.#isRepetition(batch);
    let count = 0;
    let buffers = 0;
    let used = 0;
    let index = from;
    // A payload that repeats is written once, and all its messages point to it.
    let repeated: Uint8Array | undefined;
    let repeatedAt = 0;
    let repeatedBytes = 0;
    for (; buffers < SENT_AT_ONCE && index < batch.length; count += 1) {
      const first = batch[index] as EngineOutgoing;
      const { data } = first;
      const size = data.length;
      if (isChanged(first) || size > MOST_BYTES || size > PAYLOAD_BYTES - used) break;
      if (isRun(first)) {
        if (index < route.singlyUntil || !this.#fitsAsRun(first, route.segmentLimit)) break;
        const firstBuffer = buffers;
        let total = 0;
        let next: EngineOutgoing | undefined = first;
        do {
          used += this.#setRun(buffers, next.data, used);
          buffers += 1;
          total += next.data.length;
          index += 1;
          next = buffers < SENT_AT_ONCE ? batch[index] : undefined;
        } while (
          next !== undefined &&
          this.#continuesRun(next, first, total) &&
          next.data.length <= PAYLOAD_BYTES - used
        );
        this.#messages.setBuffers(count, firstBuffer, buffers - firstBuffer);
        this.#address(count, first, route, first.segmentBytes ?? 0);
        this.#ends[count] = index;
        continue;
      }
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
      this.#messages.setBuffer(buffers, this.#payloads.address + at, total);
      this.#messages.setBuffers(count, buffers, 1);
      buffers += 1;
      this.#address(count, first, route, segments > 1 ? size : 0);
      index += segments;
      this.#ends[count] = index;
    }
    return count;
  }

  /** Lets a buffer hold a run. Returns how many bytes of the memory of payloads it takes, from the offset `at` on. */
  #setRun(buffer: number, data: Uint8Array, at: number): number {
    if (data.buffer === this.#received.bytes.buffer) {
      this.#messages.setBuffer(buffer, this.#received.address + data.byteOffset, data.length);
      return 0;
    }
    this.#payloads.bytes.set(data, at);
    this.#messages.setBuffer(buffer, this.#payloads.address + at, data.length);
    return data.length;
  }

  /** Whether a run can follow `total` bytes of runs in one message, which begins with the run `first`. */
  #continuesRun(next: EngineOutgoing, first: EngineOutgoing, total: number): boolean {
    const { segmentBytes = 0 } = first;
    const bytes = total + next.data.length;
    return (
      next.segmentBytes === segmentBytes &&
      // Only the last segment of a message may be shorter.
      total % segmentBytes === 0 &&
      bytes <= Math.min(MOST_SEGMENTED_BYTES, this.#mostSegments * segmentBytes) &&
      isRun(next) &&
      !isChanged(next) &&
      isSame(next.remote, first.remote) &&
      isSame(next.local, first.local)
    );
  }

  /** Whether a payload stands in the memory of received payloads, which the next reception overwrites. */
  isBorrowed({ data }: EngineOutgoing): boolean {
    return data.buffer === this.#received.bytes.buffer;
  }

  /** Whether a run can be the segments of one message. */
  #fitsAsRun({ data: { length }, segmentBytes = 0 }: EngineOutgoing, segmentLimit: number): boolean {
    const segments = Math.ceil(length / segmentBytes);
    return segments <= this.#mostSegments && segmentBytes <= segmentLimit && length <= MOST_SEGMENTED_BYTES;
  }

  #isRepetition(batch: readonly EngineOutgoing[]): boolean {
    if (batch !== this.#examined) {
      const [first] = batch;
      this.#examined = batch;
      this.#repeats = first !== undefined && batch.every((next) => isAlike(next, first));
    }
    return this.#repeats;
  }

  /**
   * Gives the messages to the kernel without waiting. Returns how many it has taken, from 1, or -1 and sets `errno`.
   */
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
    if (nth === 0 && route.timed) {
      const data = messages.startControl(at, SOL_SOCKET, SO_TIMESTAMPING, 4);
      memory.view.setUint32(data, SOF_TIMESTAMPING_TX_SOFTWARE, true);
      at += aligned(CMSGHDR.bytes + 4);
    }
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

/** Returns the source address and the interface of a datagram; undefined if the kernel chooses both. */
function sourceOf(
  to: Endpoint | undefined,
  local: Endpoint | undefined,
  { unnamed, broadcasts }: Route,
): { readonly address: string; readonly interface?: string } | undefined {
  const isSource = local !== undefined && !unnamed.has(local.address) && canBeSource(local.address);
  if (to === undefined || broadcasts?.addresses.has(to.address) !== true) return isSource ? local : undefined;
  return { address: isSource ? local.address : broadcasts.from, interface: broadcasts.interface };
}

/** Whether an address can be the source of a datagram. Multicast, broadcast and wildcard addresses cannot. */
function canBeSource(address: string): boolean {
  return !isMulticast(address) && address !== LIMITED_BROADCAST && address !== '0.0.0.0' && address !== '::';
}

function goesAlong(next: EngineOutgoing, first: EngineOutgoing): boolean {
  return isSame(next.remote, first.remote) && isSame(next.local, first.local) && !isRun(next);
}

function isAlike(next: EngineOutgoing, first: EngineOutgoing): boolean {
  return next.data === first.data && next.bytes === first.bytes && goesAlong(next, first);
}

function isSame(a: Endpoint | undefined, b: Endpoint | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && sameEndpoint(a, b));
}

/** Writes a payload again and again until `total` bytes are written. */
function fill(target: Uint8Array, at: number, data: Uint8Array, total: number): void {
  target.set(data, at);
  for (let filled = data.length; filled < total;) {
    const bytes = Math.min(filled, total - filled);
    target.copyWithin(at + filled, at, at + bytes);
    filled += bytes;
  }
}
