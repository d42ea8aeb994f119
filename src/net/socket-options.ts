import {
  checkBoolean,
  checkFunction,
  checkOneOf,
  checkRange,
  checkRecord,
  checkSignal,
  checkText,
} from './arguments.js';
import { type Address } from './address/address.js';
import { type Endpoint, type Family } from './address/endpoint.js';
import { interfaceExists, noInterface } from './address/interfaces.js';
import { checkAddress, parseAddress } from './address/parse.js';
import { type EngineChoice, ENGINES } from './engines/choice.js';
import type { EngineName, SocketOptions } from './engines/engine.js';
import { DatagramError } from './errors.js';
import { checkMemberships } from './address/membership.js';
import { OVERFLOWS, type Overflow } from './receive-queue.js';
import type { Lookup } from './address/resolve.js';

/**
 * An address as an argument: a string in a form that {@link parseAddress} reads, its result, or an endpoint, for
 * example the `remote` of a datagram. A name is looked up.
 */
export type AddressLike = string | Address | Endpoint;

/** Options that servers and clients share. */
export interface DatagramSocketOptions extends SocketOptions {
  /** How many datagrams the receive queue holds, at least 1. Default: 1024. */
  readonly maxReadQueue?: number;
  /** What happens when a datagram arrives and the receive queue is full. Default: `drop-newest`. */
  readonly overflow?: Overflow;
  /** Restricts the address to IPv4 or IPv6. Default: the family of the address; both for every interface (`*:8000`). */
  readonly family?: Family | undefined;
  /** Looks names up. Default: the system's resolver in this process (`dns.lookup` of Node, getaddrinfo(3)). */
  readonly lookup?: Lookup | undefined;
  /**
   * The engine that makes the system calls.
   *
   * - `node`: `node:dgram`. Runs everywhere.
   * - `linux`: many datagrams in one system call, and some options that only it has, see {@link SocketOptions}. Needs
   *   Linux on x64 or arm64, the optional package `@koromix/koffi-linux-x64` or `@koromix/koffi-linux-arm64`, and the
   *   main thread. Elsewhere, for example in a `Worker`, opening fails with `UNSUPPORTED`. Loading takes about 20 ms,
   *   once in a process, so it pays for much traffic.
   * - `auto`: `linux` if it is available and can open the socket, otherwise `node`.
   *
   * Default: `node`.
   */
  readonly engine?: EngineChoice | undefined;
  /**
   * Ends the opening, which rejects with the signal's reason. Later it closes the socket like `DatagramSocket.abort`.
   */
  readonly signal?: AbortSignal;
}

export const STRAYS = ['ignore', 'report', 'receive'] as const;

/** What happens to datagrams of other addresses than the peer. See `ClientOptions.strays`. */
export type Strays = (typeof STRAYS)[number];

/** Options of the receiving methods. */
export interface ReceiveOptions {
  /**
   * Ends the wait, which rejects with the signal's reason. No datagram is lost by that. Default: waits until the end.
   */
  readonly signal?: AbortSignal;
}

/** The values that a socket option takes, and the engines that support it. */
export interface SocketOption {
  /**
   * Checks a value. Accepts `undefined`, which means that the option is not given.
   *
   * @throws {DatagramError} `INVALID_OPTION`, naming the option
   */
  readonly check: (name: string, value: unknown, options: DatagramSocketOptions) => void;
  /** The engines that support the option. Default: all. */
  readonly engines?: readonly EngineName[];
}

/** All socket options. To add one, add a row here and a member to `SocketOptions`. */
export const SOCKET_OPTIONS = {
  overflow: oneOf(OVERFLOWS),
  family: oneOf([4, 6]),
  engine: oneOf(ENGINES),
  maxReadQueue: wholeNumber(1, Number.MAX_SAFE_INTEGER),
  ttl: wholeNumber(1, 255),
  dscp: only('linux', wholeNumber(0, 63)),
  // setsockopt(2) takes an int, and Linux doubles it.
  recvBufferBytes: wholeNumber(1, 0x3fff_ffff),
  sendBufferBytes: wholeNumber(1, 0x3fff_ffff),
  noMemoryTimeoutMs: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  broadcast: { check: checkBoolean },
  dontFragment: only('linux', { check: checkBoolean }),
  bindDevice: only('linux', { check: checkInterface }),
  reusePort: only('linux', { check: checkBoolean }),
  reuseAddress: { check: checkBoolean },
  exactDrops: { check: checkBoolean },
  multicastInterface: { check: checkInterface },
  lookup: { check: checkFunction },
  signal: {
    check: (_name: string, value: unknown) => {
      checkSignal(value);
    },
  },
  join: {
    check: (_name: string, _value: unknown, options: DatagramSocketOptions) => {
      checkMemberships(options);
    },
  },
} satisfies Record<keyof DatagramSocketOptions, SocketOption>;

function oneOf(values: readonly unknown[]): SocketOption {
  return {
    check: (name, value) => {
      checkOneOf(name, value, values);
    },
  };
}

function wholeNumber(least: number, most: number): SocketOption & { readonly least: number; readonly most: number } {
  return {
    least,
    most,
    check: (name, value) => {
      checkRange(name, value, least, most);
    },
  };
}

function only<Option extends SocketOption>(engine: EngineName, option: Option): Option {
  return { ...option, engines: [engine] };
}

function checkInterface(option: string, name: unknown): void {
  checkText(option, name);
  if (typeof name !== 'string' || interfaceExists(name)) return;
  throw new DatagramError('INVALID_OPTION', `${option}: ${noInterface(name)}`);
}

/**
 * Checks the type and range of every socket option.
 *
 * @throws {DatagramError} `INVALID_OPTION`, naming the first option that is wrong
 */
export function checkOptions(options: DatagramSocketOptions): void {
  checkRecord('options', options);
  for (const [name, { check }] of Object.entries<SocketOption>(SOCKET_OPTIONS)) {
    check(name, options[name as keyof DatagramSocketOptions], options);
  }
}

/** Whether an engine supports an option. True for a name that is not a socket option. */
export function hasOption(engine: EngineName, name: string): boolean {
  if (!Object.hasOwn(SOCKET_OPTIONS, name)) return true;
  const { engines }: SocketOption = SOCKET_OPTIONS[name as keyof DatagramSocketOptions];
  return engines?.includes(engine) ?? true;
}

/**
 * Checks that the engine supports each option given. `undefined` and `false` count as not given.
 *
 * @throws {DatagramError} `UNSUPPORTED`
 */
export function refuseForeignOptions(engine: EngineName, options: SocketOptions): void {
  const foreign = foreignOption(engine, options);
  if (foreign === undefined) return;
  const { engines = [] }: SocketOption = SOCKET_OPTIONS[foreign];
  throw new DatagramError(
    'UNSUPPORTED',
    `the ${engine} engine cannot set ${foreign}; the ${engines.join()} engine can`,
  );
}

/** Whether an engine supports all options that are given. */
export function supports(engine: EngineName, options: SocketOptions): boolean {
  return foreignOption(engine, options) === undefined;
}

/** The name of the first given option that an engine does not support; undefined if it supports all. */
function foreignOption(engine: EngineName, options: SocketOptions): keyof SocketOptions | undefined {
  for (const [name, { engines }] of Object.entries<SocketOption>(SOCKET_OPTIONS)) {
    const value: unknown = options[name as keyof SocketOptions];
    if (value === undefined || value === false || engines === undefined || engines.includes(engine)) continue;
    return name as keyof SocketOptions;
  }
  return undefined;
}

/**
 * Returns the signal of the options.
 *
 * @throws {DatagramError} `INVALID_OPTION` if the options are not an object, or the signal is not an AbortSignal
 */
export function signalOf(options: ReceiveOptions): AbortSignal | undefined {
  checkRecord('options', options);
  checkSignal(options.signal);
  return options.signal;
}

/**
 * Checks an address argument and brings it into the form that `resolveAddress` takes.
 *
 * @param what The name of the argument in error messages. Default: `the address`.
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function toAddress(address: AddressLike, what?: string): Address {
  return typeof address === 'string' ? parseAddress(address) : checkAddress(address, what);
}
