import { wallClockMs } from '../../clock.js';
import type { Arrivals, Datagram, Endpoint, Run } from '../../datagram.js';
import { EndpointReader } from './addresses.js';
import {
  IP_PKTINFO,
  IPV6_PKTINFO,
  MSG_DONTWAIT,
  SO_TIMESTAMPNS,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
} from './constants.js';
import { Memory } from './memory.js';
import { aligned, CMSGHDR, Messages } from './messages.js';
import { readTimespec } from './system-clock.js';
import type { SystemCalls } from './system-calls.js';

/** How many messages one system call receives at most. With UDP_GRO each may hold many datagrams. */
export const RECEIVED_AT_ONCE = 32;
/** Room for one message: the largest IP packet. The kernel coalesces datagrams up to that size. */
const MESSAGE_BYTES = 65_536;
/** Room for the control data of a message: a timestamp, the local address and the size of segments. */
const CONTROL_BYTES = 256;
/** Size of the blocks from which payloads are cut. */
const SLAB_BYTES = 65_536;
/** A larger payload gets a block of its own if the current block has no room for it. */
const LARGE_BYTES = SLAB_BYTES / 4;

/** The counts of one message of the kernel. A view of its payloads is made only when they are read. */
class MessageArrivals implements Arrivals {
  readonly remote: Endpoint;
  readonly count: number;
  readonly bytes: number;
  readonly smallest: number;
  readonly largest: number;
  readonly timeMs: number;
  readonly #memory: Uint8Array;
  readonly #offset: number;

  /**
   * @param bytes bytes of all payloads
   * @param largest bytes of each payload; the last may be shorter
   * @param memory the memory in which the payloads begin at `offset`
   */
  constructor(remote: Endpoint, bytes: number, largest: number, timeMs: number, memory: Uint8Array, offset: number) {
    this.remote = remote;
    this.count = Math.ceil(bytes / largest) || 1;
    this.bytes = bytes;
    this.smallest = bytes - (this.count - 1) * largest;
    this.largest = largest;
    this.timeMs = timeMs;
    this.#memory = memory;
    this.#offset = offset;
  }

  get payloads(): Uint8Array {
    return Buffer.from(this.#memory.buffer, this.#offset, this.bytes);
  }
}

/**
 * The memory into which system calls receive datagrams. All sockets share it, because no data stay in it after a call:
 * each payload is copied once, into a block that is never overwritten.
 */
export class Reception {
  /** Reads addresses of senders. */
  readonly remotes: EndpointReader;
  /** Reads addresses to which datagrams were sent. */
  readonly locals: EndpointReader;
  readonly #calls: SystemCalls;
  readonly #messages: Messages;
  readonly #payloads: Memory;
  /** How many headers the last call has changed. */
  #used = RECEIVED_AT_ONCE;
  #isLent = false;
  #slab = new ArrayBuffer(0);
  #slabBytes = new Uint8Array(this.#slab);
  #slabUsed = 0;
  /** The control data of the message that was read last; 0 and undefined for absent ones. */
  #segmentBytes = 0;
  #receivedMs = 0;
  #local: Datagram['local'];

  /** @param messageBytes room for the payload of a message. With less than the default, payloads are cut off. */
  constructor(calls: SystemCalls, messageBytes = MESSAGE_BYTES) {
    this.#calls = calls;
    this.remotes = new EndpointReader(calls);
    this.locals = new EndpointReader(calls);
    this.#messages = new Messages(RECEIVED_AT_ONCE, CONTROL_BYTES, calls.addressOf);
    this.#payloads = new Memory(RECEIVED_AT_ONCE * messageBytes, calls.addressOf);
    for (let nth = 0; nth < RECEIVED_AT_ONCE; nth += 1) {
      this.#messages.setBuffer(nth, this.#payloads.address + nth * messageBytes, messageBytes);
    }
  }

  /** Receives without waiting. Returns the number of messages, 1 to `most`, or -1 and sets `errno`. */
  receive(fd: number, most: number, flags = 0): number {
    const messages = this.#messages;
    messages.offerRoom(this.#used);
    this.#isLent = false;
    const received = this.#calls.recvmmsg(fd, messages.memory.address, most, MSG_DONTWAIT | flags, 0);
    // A failed call may have changed the first header.
    this.#used = Math.max(received, 1);
    return received;
  }

  /** The headers of the last call. */
  get messages(): Messages {
    return this.#messages;
  }

  /**
   * Returns the datagrams of the last call, in order of arrival. Cuts messages of coalesced datagrams apart.
   *
   * @param received the result of `receive`
   * @param port the port of the socket
   * @param fallback the `local` of a datagram for which the kernel did not tell the address
   */
  datagrams(received: number, port: number, fallback: Datagram['local']): Datagram[] {
    const batch: Datagram[] = [];
    const messages = this.#messages;
    const { view } = messages.memory;
    for (let nth = 0; nth < received; nth += 1) {
      const remote = this.remotes.readName(view, messages.nameOffset(nth));
      const bytes = messages.length(nth);
      this.#readControl(nth, port);
      if (remote === undefined) continue;
      const local = this.#local ?? fallback;
      const timeMs = this.#timeMs();
      let at = this.#keep(nth * MESSAGE_BYTES, bytes);
      const end = at + bytes;
      const segment = this.#segmentBytes === 0 ? bytes : this.#segmentBytes;
      do {
        const data = Buffer.from(this.#slab, at, Math.min(segment, end - at));
        batch.push({ data, remote, local, timeMs });
        at += segment;
      } while (at < end);
    }
    return batch;
  }

  /** The memory of the payloads. The next call overwrites it. */
  get payloads(): Memory {
    return this.#payloads;
  }

  /** Whether runs of the last call are borrowed: their payloads stand in {@link payloads}. */
  get isLent(): boolean {
    return this.#isLent;
  }

  /** Returns runs whose payloads are copies, in memory that is never overwritten. */
  keep(runs: readonly Run[]): Run[] {
    return runs.map((run) => {
      const { bytes } = run;
      const at = this.#keep(bytes.byteOffset, bytes.length);
      return { ...run, bytes: Buffer.from(this.#slab, at, bytes.length) };
    });
  }

  /**
   * Returns each message of the last call as one run. Other parameters as in {@link datagrams}.
   *
   * @param borrowed whether not to copy the payloads: the next call of {@link receive} then overwrites them
   */
  runs(received: number, port: number, fallback: Datagram['local'], borrowed: boolean): Run[] {
    this.#isLent = borrowed;
    const runs: Run[] = [];
    const messages = this.#messages;
    const { view } = messages.memory;
    for (let nth = 0; nth < received; nth += 1) {
      const remote = this.remotes.readName(view, messages.nameOffset(nth));
      const length = messages.length(nth);
      this.#readControl(nth, port);
      if (remote === undefined) continue;
      const offset = nth * MESSAGE_BYTES;
      const at = borrowed ? offset : this.#keep(offset, length);
      const bytes = Buffer.from(borrowed ? this.#payloads.bytes.buffer : this.#slab, at, length);
      const segmentBytes = this.#segmentBytes === 0 ? length : Math.min(this.#segmentBytes, length);
      const count = Math.ceil(length / segmentBytes) || 1;
      runs.push({ bytes, segmentBytes, count, remote, local: this.#local ?? fallback, timeMs: this.#timeMs() });
    }
    return runs;
  }

  /**
   * Returns the counts of each message of the last call, in order of arrival. The payloads are not copied: the next call of
   * {@link receive} overwrites them.
   */
  arrivals(received: number): Arrivals[] {
    const messages = this.#messages;
    const { view } = messages.memory;
    const all: Arrivals[] = [];
    for (let nth = 0; nth < received; nth += 1) {
      const remote = this.remotes.readName(view, messages.nameOffset(nth));
      const bytes = messages.length(nth);
      this.#readControl(nth, 0);
      if (remote === undefined) continue;
      const largest = this.#segmentBytes === 0 ? bytes : Math.min(this.#segmentBytes, bytes);
      const { bytes: memory } = this.#payloads;
      all.push(new MessageArrivals(remote, bytes, largest, this.#timeMs(), memory, nth * MESSAGE_BYTES));
    }
    return all;
  }

  /** Copies a payload into the current block, or into a new one. Returns its offset in the block. */
  #keep(from: number, bytes: number): number {
    if (bytes > this.#slab.byteLength - this.#slabUsed) {
      const size = bytes > LARGE_BYTES ? bytes : SLAB_BYTES;
      this.#slab = Buffer.allocUnsafeSlow(size).buffer;
      this.#slabBytes = new Uint8Array(this.#slab);
      this.#slabUsed = 0;
    }
    const at = this.#slabUsed;
    this.#slabBytes.set(new Uint8Array(this.#payloads.bytes.buffer, from, bytes), at);
    this.#slabUsed += bytes;
    return at;
  }

  #readControl(nth: number, port: number): void {
    this.#segmentBytes = 0;
    this.#receivedMs = 0;
    this.#local = undefined;
    const messages = this.#messages;
    const { view } = messages.memory;
    let at = messages.controlOffset(nth);
    const end = at + messages.controlLength(nth);
    while (at + CMSGHDR.bytes <= end) {
      const length = view.getUint32(at + CMSGHDR.length, true);
      const level = view.getInt32(at + CMSGHDR.level, true);
      const type = view.getInt32(at + CMSGHDR.type, true);
      const data = at + CMSGHDR.bytes;
      if (level === SOL_SOCKET && type === SO_TIMESTAMPNS) this.#receivedMs = readTimespec(view, data);
      else if (level === SOL_UDP && type === UDP_GRO) this.#segmentBytes = view.getInt32(data, true);
      else if (level === SOL_IP && type === IP_PKTINFO) this.#local = this.locals.ipv4(view.getUint32(data + 8), port);
      else if (level === SOL_IPV6 && type === IPV6_PKTINFO) {
        this.#local = this.locals.ipv6(view, data, view.getUint32(data + 16, true), port);
      }
      at += aligned(length);
    }
  }

  /** The kernel's time of reception of the message that was read last; the current time if the kernel gave none. */
  #timeMs(): number {
    return this.#receivedMs === 0 ? wallClockMs() : this.#receivedMs;
  }
}
