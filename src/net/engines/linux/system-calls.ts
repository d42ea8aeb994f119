import { arch, endianness, platform } from 'node:os';
import { getSystemErrorName } from 'node:util';
import { isMainThread } from 'node:worker_threads';
import { DatagramError } from '../../errors.js';
import {
  AF_UNIX,
  MSG_DONTWAIT,
  SCM_CREDENTIALS,
  SO_PASSCRED,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOL_SOCKET,
} from './constants.js';
import { type Koffi, loadKoffi, packageFor, type Processor } from './koffi.js';
import { CMSGHDR, IOVEC, Messages, MMSGHDR } from './messages.js';
import { Memory } from './memory.js';

/** The conditions for which the event loop watches a descriptor. */
export interface Readiness {
  readonly readable: boolean;
  readonly writable: boolean;
  /** Default: false. With nothing else, the watch is for errors only. */
  readonly disconnect?: boolean;
}

/** Called when a condition holds. @param status below 0: the descriptor has an error, and the watch has ended */
export type WatchCallback = (status: number) => void;

/** A handle of the event loop that watches one descriptor: `uv_poll_t` of libuv. */
export interface Watch {
  /** Watches for these conditions, and always for errors, instead of the earlier ones. */
  start(readiness: Readiness, callback: WatchCallback): void;
  /** Watches for nothing, not even for errors, until the next `start`. */
  stop(): void;
  /** Ends the watch. Must be called before the descriptor is closed. */
  close(): void;
}

/**
 * The functions of the C library that the engine calls; each has a man page. A pointer is an address as a number. A
 * function that fails returns -1, and `errno` returns the reason until the next call.
 */
export interface SystemCalls {
  readonly errno: () => number;
  readonly addressOf: (buffer: ArrayBuffer) => number;
  /**
   * Watches a descriptor. libuv calls the callback outside Node's task queue, where promises do not run and exceptions
   * are lost. Use `setImmediate` in it.
   */
  readonly watch: (fd: number, readiness: Readiness, callback: WatchCallback) => Watch;
  readonly socket: (family: number, type: number, protocol: number) => number;
  readonly socketpair: (family: number, type: number, protocol: number, fds: number) => number;
  readonly bind: (fd: number, address: number, length: number) => number;
  readonly connect: (fd: number, address: number, length: number) => number;
  readonly getsockname: (fd: number, address: number, length: number) => number;
  readonly setsockopt: (fd: number, level: number, option: number, value: number, length: number) => number;
  readonly getsockopt: (fd: number, level: number, option: number, value: number, length: number) => number;
  readonly recvmmsg: (fd: number, messages: number, count: number, flags: number, timeout: number) => number;
  readonly sendmmsg: (fd: number, messages: number, count: number, flags: number) => number;
  readonly sendto: (
    fd: number,
    data: Uint8Array,
    length: number,
    flags: number,
    address: Uint8Array,
    addressLength: number,
  ) => number;
  readonly epoll_create1: (flags: number) => number;
  readonly epoll_ctl: (epoll: number, operation: number, fd: number, event: number) => number;
  readonly epoll_wait: (epoll: number, events: number, count: number, timeoutMs: number) => number;
  readonly timerfd_create: (clock: number, flags: number) => number;
  readonly timerfd_settime: (fd: number, flags: number, wanted: number, former: number) => number;
  readonly close: (fd: number) => number;
  readonly getpid: () => number;
  readonly if_nametoindex: (name: string) => number;
  readonly if_indextoname: (index: number, name: number) => string | null;
  readonly clock_gettime: (clock: number, time: number) => number;
}

/**
 * Runtimes that run programs for Node on another event loop than libuv, by the name of their global object. They load
 * koffi, and the first watch of a descriptor ends the process.
 */
const OTHER_RUNTIMES = ['Bun', 'Deno'] as const;

/**
 * Loads koffi, finds the functions, and checks that the structures of this system have the layout that the engine
 * expects.
 *
 * @throws {DatagramError} `UNSUPPORTED` if the engine cannot run here. The message says why.
 */
export async function loadSystemCalls(): Promise<SystemCalls> {
  if (platform() !== 'linux') throw unavailable(`this system is ${platform()}`);
  const processor = arch();
  if (!isSupported(processor) || endianness() !== 'LE') {
    throw unavailable(`it supports x64 and arm64, not ${processor}`);
  }
  const other = OTHER_RUNTIMES.find((name) => name in globalThis);
  if (other !== undefined) throw unavailable(`it needs the event loop of Node, and this is ${other}`);
  // When a worker thread is terminated, its handles are closed after its JavaScript has ended. koffi's watch would
  // still call JavaScript and crash the process.
  if (!isMainThread) throw unavailable('it runs in the main thread only, and this is a worker thread');
  let koffi: Koffi;
  try {
    koffi = await loadKoffi(processor);
  } catch (cause) {
    const name = packageFor(processor);
    throw unavailable(`the package ${name} is not installed, or does not load; npm install ${name}`, cause);
  }
  let calls: SystemCalls;
  try {
    checkSizes(koffi);
    calls = findFunctions(koffi);
  } catch (cause) {
    if (cause instanceof DatagramError) throw cause;
    throw unavailable(`koffi ${koffi.version} lacks functions that it needs`, cause);
  }
  checkByUse(calls);
  return calls;
}

function unavailable(why: string, cause?: unknown): DatagramError {
  return new DatagramError('UNSUPPORTED', `the linux engine is not available: ${why}`, { cause });
}

function isSupported(processor: string): processor is Processor {
  return processor === 'x64' || processor === 'arm64';
}

function findFunctions({ load, address, errno, node: { poll } }: Koffi): SystemCalls {
  if (typeof poll !== 'function') throw new Error('koffi.node.poll is missing');
  const library = load(null);
  const find = (name: string, result: string, ...parameters: readonly string[]): never =>
    library.func(name, result, parameters) as never;
  return {
    errno,
    addressOf: (buffer) => Number(address(buffer)),
    watch: (fd, readiness, callback) => poll(fd, readiness, callback) as Watch,
    socket: find('socket', 'int', 'int', 'int', 'int'),
    socketpair: find('socketpair', 'int', 'int', 'int', 'int', 'uintptr_t'),
    bind: find('bind', 'int', 'int', 'uintptr_t', 'uint32_t'),
    connect: find('connect', 'int', 'int', 'uintptr_t', 'uint32_t'),
    getsockname: find('getsockname', 'int', 'int', 'uintptr_t', 'uintptr_t'),
    setsockopt: find('setsockopt', 'int', 'int', 'int', 'int', 'uintptr_t', 'uint32_t'),
    getsockopt: find('getsockopt', 'int', 'int', 'int', 'int', 'uintptr_t', 'uintptr_t'),
    recvmmsg: find('recvmmsg', 'int', 'int', 'uintptr_t', 'uint32_t', 'int', 'uintptr_t'),
    sendmmsg: find('sendmmsg', 'int', 'int', 'uintptr_t', 'uint32_t', 'int'),
    sendto: find('sendto', 'int', 'int', 'const void *', 'size_t', 'int', 'const void *', 'uint32_t'),
    epoll_create1: find('epoll_create1', 'int', 'int'),
    epoll_ctl: find('epoll_ctl', 'int', 'int', 'int', 'int', 'uintptr_t'),
    epoll_wait: find('epoll_wait', 'int', 'int', 'uintptr_t', 'int', 'int'),
    timerfd_create: find('timerfd_create', 'int', 'int', 'int'),
    timerfd_settime: find('timerfd_settime', 'int', 'int', 'int', 'uintptr_t', 'uintptr_t'),
    close: find('close', 'int', 'int'),
    getpid: find('getpid', 'int'),
    if_nametoindex: find('if_nametoindex', 'uint32_t', 'str'),
    if_indextoname: find('if_indextoname', 'str', 'uint32_t', 'uintptr_t'),
    clock_gettime: find('clock_gettime', 'int', 'int', 'uintptr_t'),
  };
}

/** Compares the layout of structures with the one that koffi computes for this processor. */
function checkSizes({ struct, sizeof, offsetof }: Koffi): void {
  const iovec = struct({ base: 'void *', length: 'size_t' });
  const msghdr = struct({
    name: 'void *',
    nameLength: 'uint32_t',
    vector: 'void *',
    vectorLength: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const mmsghdr = struct({ header: msghdr, length: 'unsigned int' });
  const cmsghdr = struct({ length: 'size_t', level: 'int', type: 'int' });
  const { bytes, length, ...members } = MMSGHDR;
  const found = [
    sizeof(mmsghdr) === bytes,
    offsetof(mmsghdr, 'length') === length,
    ...Object.entries(members).map(([member, offset]) => offsetof(msghdr, member) === offset),
    sizeof(iovec) === IOVEC.bytes,
    offsetof(iovec, 'length') === IOVEC.length,
    sizeof(cmsghdr) === CMSGHDR.bytes,
    offsetof(cmsghdr, 'level') === CMSGHDR.level,
    offsetof(cmsghdr, 'type') === CMSGHDR.type,
  ];
  if (found.includes(false)) throw unavailable(`the structures of ${arch()} have another layout than it expects`);
}

/**
 * Tries the functions out: sends two messages through a pair of Unix sockets, which needs no network, and checks the
 * bytes, the lengths and the credentials of the sender in the control data.
 *
 * @throws {DatagramError} `UNSUPPORTED` if something differs
 */
function checkByUse(calls: SystemCalls): void {
  const { addressOf } = calls;
  const scratch = new Memory(64, addressOf);
  if (calls.socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, scratch.address) !== 0) {
    throw unavailable('its check could not run', systemError('socketpair', calls.errno()));
  }
  const [from, to] = [scratch.view.getInt32(0, true), scratch.view.getInt32(4, true)];
  try {
    scratch.view.setInt32(0, 1, true);
    const asked = calls.setsockopt(to, SOL_SOCKET, SO_PASSCRED, scratch.address, 4) === 0;
    scratch.bytes.set(Buffer.from('onethree'), 8);
    const sent = new Messages(2, 64, addressOf);
    const received = new Messages(2, 64, addressOf);
    for (const [nth, length] of [3, 5].entries()) {
      sent.setBuffer(nth, scratch.address + 8 + nth * 3, length);
      sent.setNameLength(nth, 0);
      sent.setControlLength(nth, 0);
      received.setBuffer(nth, scratch.address + 16 + nth * 16, 16);
    }
    received.offerRoom(2);
    const wereSent = calls.sendmmsg(from, sent.memory.address, 2, 0) === 2;
    const wereReceived = calls.recvmmsg(to, received.memory.address, 2, MSG_DONTWAIT, 0) === 2;
    const { view } = received.memory;
    const control = received.controlOffset(1);
    const fits =
      asked &&
      wereSent &&
      wereReceived &&
      [received.length(0), received.length(1), sent.length(1)].join() === '3,5,5' &&
      Buffer.from(scratch.bytes.subarray(16, 37)).toString('latin1').replaceAll('\0', '') === 'onethree' &&
      view.getUint32(control + CMSGHDR.length, true) === CMSGHDR.bytes + 12 &&
      view.getInt32(control + CMSGHDR.level, true) === SOL_SOCKET &&
      view.getInt32(control + CMSGHDR.type, true) === SCM_CREDENTIALS &&
      view.getInt32(control + CMSGHDR.bytes, true) === calls.getpid();
    if (!fits) throw unavailable('the C library did not pass its check');
  } finally {
    calls.close(from);
    calls.close(to);
  }
}

/** Makes the error of a failed call in the form of Node: `bind EADDRINUSE`, with `code`, `errno` and `syscall`. */
export function systemError(syscall: string, errno: number): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  return Object.assign(new Error(`${syscall} ${code}`), { errno: -errno, code, syscall });
}
