import { joinError } from '../errors.js';
import { DEFAULT_RECV_BUFFER_BYTES, KERNEL_FACTOR } from '../limits.js';
import { type Family, familyOf, isMulticast, isWildcard } from '../../address/endpoint.js';
import { ipv4Of } from '../../address/interfaces.js';
import { type KernelBuffers, type MissingFeature, type OpenRequest, reusesAddress } from '../engine.js';
import { DatagramError } from '../../errors.js';
import { type Membership, membershipsOf } from '../../address/membership.js';
import { AddressWriter } from './addresses.js';
import {
  EPERM,
  IP_MTU,
  IP_MTU_DISCOVER,
  IP_MULTICAST_ALL,
  IP_MULTICAST_IF,
  IP_MULTICAST_TTL,
  IP_PKTINFO,
  IP_PMTUDISC_DO,
  IP_RECVERR,
  IP_TOS,
  IP_TTL,
  IPV6_MTU,
  IPV6_MTU_DISCOVER,
  IPV6_MULTICAST_ALL,
  IPV6_MULTICAST_HOPS,
  IPV6_MULTICAST_IF,
  IPV6_RECVERR,
  IPV6_RECVPKTINFO,
  IPV6_TCLASS,
  IPV6_UNICAST_HOPS,
  IPV6_V6ONLY,
  MCAST_JOIN_GROUP,
  MCAST_JOIN_SOURCE_GROUP,
  SO_BINDTODEVICE,
  SO_BROADCAST,
  SO_ERROR,
  SO_MEMINFO,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
  SO_REUSEADDR,
  SO_REUSEPORT,
  SO_SNDBUF,
  SO_SNDBUFFORCE,
  SO_TIMESTAMPNS,
  SOL_IP,
  SOL_IPV6,
  SOL_SOCKET,
  SOL_UDP,
  UDP_GRO,
} from './constants.js';
import { Memory } from './memory.js';
import { type SystemCalls, systemError } from './system-calls.js';

/** Of `SO_MEMINFO`: the offset of the count of dropped datagrams (`SK_MEMINFO_DROPS`) and the size needed, in bytes. */
const MEMINFO = { drops: 32, bytes: 36 } as const;
/**
 * Offsets and sizes, in bytes, of `struct group_req` and of `struct group_source_req`, which begins with the same
 * fields.
 */
const GROUP_REQ = { interface: 0, group: 8, bytes: 136, source: 136, bytesWithSource: 264 } as const;

/**
 * What a socket lacks if the kernel refuses an option that only one feature needs. Such an option may be missing in an
 * older kernel, in a sandbox or under an emulator.
 */
const CONSEQUENCES = {
  SO_RCVBUF: 'the receive buffer has the default size of the system',
  SO_TIMESTAMPNS: 'the time of a datagram is the time when it was read',
  UDP_GRO: 'the kernel does not coalesce datagrams, so receiving is slower',
  IP_RECVERR: 'ICMP errors are not heard',
  IPV6_RECVERR: 'ICMP errors of IPv6 are not heard',
  IP_PKTINFO: 'the address that a datagram was sent to is not known',
  IPV6_RECVPKTINFO: 'the address that a datagram was sent to is not known',
} as const;

/** Sets and reads socket options with setsockopt(2) and getsockopt(2). */
export class SocketOptionCalls {
  readonly #calls: SystemCalls;
  readonly #value: Memory;
  readonly #addresses: AddressWriter;

  constructor(calls: SystemCalls) {
    this.#calls = calls;
    this.#value = new Memory(GROUP_REQ.bytesWithSource, calls.addressOf);
    this.#addresses = new AddressWriter(calls);
  }

  /** Sets the options that must be set before bind(2). @throws the system's error, or a {@link DatagramError} */
  beforeBind(fd: number, request: OpenRequest): void {
    const { local, dualStack, options } = request;
    const family = familyOf(local.address);
    if (family === 6) this.#set(fd, SOL_IPV6, IPV6_V6ONLY, dualStack ? 0 : 1);
    // All sockets that are bound to a group receive its datagrams. So sharing the address takes nothing from the
    // others.
    if (isMulticast(local.address) || reusesAddress(request)) this.#set(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (options.reusePort === true) this.#set(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    if (options.bindDevice !== undefined) this.#bindToDevice(fd, options.bindDevice);
  }

  /**
   * Sets all other options except groups: those of the request, and those that the engine uses. Returns the features
   * whose option the kernel refused.
   *
   * @throws the system's error, or a {@link DatagramError}, if the socket cannot be as the request asks
   */
  configure(fd: number, { local, remote, dualStack, options }: OpenRequest): readonly MissingFeature[] {
    const families: readonly Family[] = dualStack ? [4, 6] : [familyOf(local.address)];
    const { recvBufferBytes, sendBufferBytes } = options;
    const missing: MissingFeature[] = [];
    const prefer = (level: number, option: number, value: number, name: keyof typeof CONSEQUENCES): void => {
      if (this.#trySet(fd, level, option, value)) return;
      const { code = '' } = systemError('setsockopt', this.#calls.errno());
      missing.push({ option: name, code, consequence: CONSEQUENCES[name] });
    };
    if (recvBufferBytes === undefined) prefer(SOL_SOCKET, SO_RCVBUF, DEFAULT_RECV_BUFFER_BYTES, 'SO_RCVBUF');
    else {
      this.#set(fd, SOL_SOCKET, SO_RCVBUF, recvBufferBytes);
      this.#enforce(fd, SO_RCVBUF, SO_RCVBUFFORCE, recvBufferBytes);
    }
    if (sendBufferBytes !== undefined) {
      this.#set(fd, SOL_SOCKET, SO_SNDBUF, sendBufferBytes);
      this.#enforce(fd, SO_SNDBUF, SO_SNDBUFFORCE, sendBufferBytes);
    }
    if (options.broadcast === true) this.#set(fd, SOL_SOCKET, SO_BROADCAST, 1);
    prefer(SOL_SOCKET, SO_TIMESTAMPNS, 1, 'SO_TIMESTAMPNS');
    // Kernels before 5.0 do not have UDP_GRO.
    if (options.exactDrops !== true) prefer(SOL_UDP, UDP_GRO, 1, 'UDP_GRO');
    for (const family of families) {
      const [level, option] = family === 4 ? [SOL_IP, IP_RECVERR] : [SOL_IPV6, IPV6_RECVERR];
      // A client that hears no refusals would take them for silence.
      if (remote !== undefined) this.#set(fd, level, option, 1);
      else prefer(level, option, 1, family === 4 ? 'IP_RECVERR' : 'IPV6_RECVERR');
      this.#configureFamily(fd, family, options);
    }
    // A socket that is bound to one address receives only what was sent to that address.
    if (!isWildcard(local.address)) return missing;
    if (familyOf(local.address) === 6) prefer(SOL_IPV6, IPV6_RECVPKTINFO, 1, 'IPV6_RECVPKTINFO');
    else prefer(SOL_IP, IP_PKTINFO, 1, 'IP_PKTINFO');
    return missing;
  }

  /** Exceeds the system's limit if it granted a smaller buffer. Fails silently without CAP_NET_ADMIN (socket(7)). */
  #enforce(fd: number, granted: number, force: number, bytes: number): void {
    if (this.#get(fd, granted) < bytes * KERNEL_FACTOR) this.#trySet(fd, SOL_SOCKET, force, bytes);
  }

  #configureFamily(fd: number, family: Family, options: OpenRequest['options']): void {
    const { ttl, dscp, dontFragment, multicastInterface } = options;
    const is4 = family === 4;
    const set = (forIpv4: number, forIpv6: number, value: number): void => {
      this.#set(fd, is4 ? SOL_IP : SOL_IPV6, is4 ? forIpv4 : forIpv6, value);
    };
    if (ttl !== undefined) {
      set(IP_TTL, IPV6_UNICAST_HOPS, ttl);
      set(IP_MULTICAST_TTL, IPV6_MULTICAST_HOPS, ttl);
    }
    // The lower two bits of the field belong to explicit congestion notification (RFC 3168).
    if (dscp !== undefined) set(IP_TOS, IPV6_TCLASS, dscp << 2);
    if (dontFragment === true) set(IP_MTU_DISCOVER, IPV6_MTU_DISCOVER, IP_PMTUDISC_DO);
    if (multicastInterface !== undefined) this.#setMulticastInterface(fd, family, multicastInterface);
  }

  #indexOf(name: string): number {
    const index = this.#calls.if_nametoindex(name);
    if (index === 0) throw new DatagramError('OPEN_FAILED', `the interface "${name}" is gone`);
    return index;
  }

  #setMulticastInterface(fd: number, family: Family, name: string): void {
    const index = this.#indexOf(name);
    if (family === 6) {
      this.#set(fd, SOL_IPV6, IPV6_MULTICAST_IF, index);
      return;
    }
    // Throws if the interface has no IPv4 address. Without one the kernel sends nothing by it.
    ipv4Of(name);
    // `struct ip_mreqn` of ip(7): group, address, index of the interface.
    const { view } = this.#value;
    view.setUint32(0, 0);
    view.setUint32(4, 0);
    view.setInt32(8, index, true);
    this.#setBytes(fd, SOL_IP, IP_MULTICAST_IF, 12);
  }

  /**
   * Joins the groups of the request. The socket then receives from no other group.
   *
   * @throws {DatagramError} `OPEN_FAILED`
   */
  join(fd: number, { options }: OpenRequest): void {
    const memberships = membershipsOf(options);
    if (memberships.length === 0) return;
    // Excludes groups that other sockets of the host have joined. Each call fails, without harm, on a socket of the
    // other family and on an older kernel.
    this.#trySet(fd, SOL_IP, IP_MULTICAST_ALL, 0);
    this.#trySet(fd, SOL_IPV6, IPV6_MULTICAST_ALL, 0);
    for (const membership of memberships) this.#join(fd, membership);
  }

  #join(fd: number, membership: Membership): void {
    const { group, source, interface: name } = membership;
    const family = familyOf(group);
    const value = this.#value;
    value.view.setUint32(GROUP_REQ.interface, name === undefined ? 0 : this.#indexOf(name), true);
    this.#addresses.writeName(value, GROUP_REQ.group, { address: group, port: 0 }, family);
    if (source !== undefined) {
      this.#addresses.writeName(value, GROUP_REQ.source, { address: source, port: 0 }, family);
    }
    try {
      this.#setBytes(
        fd,
        family === 4 ? SOL_IP : SOL_IPV6,
        source === undefined ? MCAST_JOIN_GROUP : MCAST_JOIN_SOURCE_GROUP,
        source === undefined ? GROUP_REQ.bytes : GROUP_REQ.bytesWithSource,
      );
    } catch (cause) {
      throw joinError(cause, membership);
    }
  }

  #bindToDevice(fd: number, name: string): void {
    this.#value.bytes.set(Buffer.from(`${name}\0`));
    try {
      this.#setBytes(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.byteLength(name) + 1);
    } catch (cause) {
      const why =
        (cause as NodeJS.ErrnoException).errno === -EPERM ? 'it needs the privilege CAP_NET_RAW' : 'it failed';
      throw new DatagramError('OPEN_FAILED', `cannot bind to the interface "${name}": ${why}`, { cause });
    }
  }

  #set(fd: number, level: number, option: number, value: number): void {
    this.#value.view.setInt32(0, value, true);
    this.#setBytes(fd, level, option, 4);
  }

  #setBytes(fd: number, level: number, option: number, bytes: number): void {
    if (this.#calls.setsockopt(fd, level, option, this.#value.address, bytes) === 0) return;
    throw systemError('setsockopt', this.#calls.errno());
  }

  #trySet(fd: number, level: number, option: number, value: number): boolean {
    this.#value.view.setInt32(0, value, true);
    return this.#calls.setsockopt(fd, level, option, this.#value.address, 4) === 0;
  }

  /** The sizes that the kernel granted. */
  buffers(fd: number): KernelBuffers {
    return {
      recvBytes: this.#get(fd, SO_RCVBUF) / KERNEL_FACTOR,
      sendBytes: this.#get(fd, SO_SNDBUF) / KERNEL_FACTOR,
    };
  }

  /** How many datagrams for the socket the kernel dropped. Undefined on kernels before 4.12. */
  drops(fd: number): number | undefined {
    const { view } = this.#value;
    return this.#read(fd, SO_MEMINFO, 64) >= MEMINFO.bytes ? view.getUint32(MEMINFO.drops, true) : undefined;
  }

  /** Returns the pending error of the socket and clears it; 0 if there is none. */
  pendingError(fd: number): number {
    return this.#get(fd, SO_ERROR);
  }

  /** The MTU of the path of a connected socket, as far as the kernel knows it, in bytes with headers; 0 if the call fails. */
  pathMtu(fd: number, family: Family): number {
    return family === 4 ? this.#get(fd, IP_MTU, SOL_IP) : this.#get(fd, IPV6_MTU, SOL_IPV6);
  }

  #get(fd: number, option: number, level = SOL_SOCKET): number {
    return this.#read(fd, option, 4, level) === 4 ? this.#value.view.getInt32(0, true) : 0;
  }

  /** Reads an option into the memory. Returns its length in bytes, or 0 if the call failed. */
  #read(fd: number, option: number, room: number, level = SOL_SOCKET): number {
    const { view, address } = this.#value;
    view.setUint32(64, room, true);
    const failed = this.#calls.getsockopt(fd, level, option, address, address + 64) !== 0;
    return failed ? 0 : view.getUint32(64, true);
  }
}
