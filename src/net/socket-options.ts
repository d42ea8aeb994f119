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
import { interfaceExists } from './address/interfaces.js';
import { checkAddress, parseAddress } from './address/parse.js';
import { type EngineChoice, ENGINES } from './engines/choice.js';
import type { EngineName, SocketOptions } from './engines/engine.js';
import { DatagramError } from './errors.js';
import { checkMemberships } from './address/membership.js';
import { OVERFLOWS, type Overflow } from './receive-queue.js';
import type { Lookup } from './address/resolve.js';

/**
 * An address as callers may give it: text as {@link parseAddress} reads it (a name is resolved), an address already
 * parsed, or a literal endpoint, for example the `remote` of a datagram.
 */
export type AddressLike = string | Address | Endpoint;

/** Options that servers and clients share. */
export interface DatagramSocketOptions extends SocketOptions {
  /** Datagrams held for a reader that is not ready, at least 1. Default: 1024. */
  readonly maxReadQueue?: number;
  /** What happens to a datagram that finds the queue full. Default: `drop-newest`. */
  readonly overflow?: Overflow;
  /** Restricts the address to one family. Default: what the address says, and both for every interface (`*:8000`). */
  readonly family?: Family | undefined;
  /** How names are looked up. Default: by the system's resolver, within this process. */
  readonly lookup?: Lookup | undefined;
  /**
   * What talks to the kernel. `linux` needs Linux on x64 or arm64, the optional package `koffi`, and the main thread:
   * elsewhere, as in a `Worker`, it is `UNSUPPORTED`. It can do what others cannot, see {@link SocketOptions}; `auto` uses
   * it where it can. It pays for much traffic: loading it takes about 20 ms, once a process. Default: `node`.
   */
  readonly engine?: EngineChoice | undefined;
  /** Aborts the opening, and later the object, as `DatagramSocket.abort` does. */
  readonly signal?: AbortSignal;
}

export const STRAYS = ['ignore', 'report', 'receive'] as const;

/** What becomes of datagrams from others than the peer. */
export type Strays = (typeof STRAYS)[number];

/** Options of one wait. */
export interface ReceiveOptions {
  /** Gives the wait up: it rejects with the signal's reason, and no datagram is lost by that. */
  readonly signal?: AbortSignal;
}

/** A socket option: the values that it takes, and the engines that have it. */
export interface SocketOption {
  /**
   * Checks a value. `undefined` leaves an option out.
   *
   * @throws {DatagramError} `INVALID_OPTION`, naming the option
   */
  readonly check: (name: string, value: unknown, options: DatagramSocketOptions) => void;
  /** Default: every engine has it. */
  readonly engines?: readonly EngineName[];
}

/** The socket options, one row each. */
export const SOCKET_OPTIONS = {
  overflow: oneOf(OVERFLOWS),
  family: oneOf([4, 6]),
  engine: oneOf(ENGINES),
  maxReadQueue: wholeNumber(1, Number.MAX_SAFE_INTEGER),
  ttl: wholeNumber(1, 255),
  dscp: only('linux', wholeNumber(0, 63)),
  // setsockopt(2) takes an int, which Linux doubles.
  recvBufferBytes: wholeNumber(1, 0x3fff_ffff),
  sendBufferBytes: wholeNumber(1, 0x3fff_ffff),
  noMemoryTimeoutMs: wholeNumber(0, Number.MAX_SAFE_INTEGER),
  broadcast: { check: checkBoolean },
  dontFragment: only('linux', { check: checkBoolean }),
  bindDevice: only('linux', { check: checkInterface }),
  reusePort: only('linux', { check: checkBoolean }),
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
  throw new DatagramError('INVALID_OPTION', `${option}: this host has no interface "${name}"`);
}

/** @throws {DatagramError} `INVALID_OPTION` for options that are no object, and for one that is of the wrong kind or out of range */
export function checkOptions(options: DatagramSocketOptions): void {
  checkRecord('options', options);
  for (const [name, { check }] of Object.entries<SocketOption>(SOCKET_OPTIONS)) {
    check(name, options[name as keyof DatagramSocketOptions], options);
  }
}

/** Whether an engine has an option. Every engine has what is no socket option. */
export function hasOption(engine: EngineName, name: string): boolean {
  if (!Object.hasOwn(SOCKET_OPTIONS, name)) return true;
  const { engines }: SocketOption = SOCKET_OPTIONS[name as keyof DatagramSocketOptions];
  return engines?.includes(engine) ?? true;
}

/** @throws {DatagramError} `UNSUPPORTED` for an option that the engine does not have; `false` asks for nothing */
export function refuseForeignOptions(engine: EngineName, options: SocketOptions): void {
  for (const [name, { engines }] of Object.entries<SocketOption>(SOCKET_OPTIONS)) {
    const value: unknown = options[name as keyof SocketOptions];
    if (value === undefined || value === false || engines === undefined || engines.includes(engine)) continue;
    throw new DatagramError('UNSUPPORTED', `the ${engine} engine cannot set ${name}; the ${engines.join()} engine can`);
  }
}

/** The signal of a wait. @throws {DatagramError} `INVALID_OPTION` for options that are no object, or no signal in them */
export function signalOf(options: ReceiveOptions): AbortSignal | undefined {
  checkRecord('options', options);
  checkSignal(options.signal);
  return options.signal;
}

/**
 * Checks whatever a caller gave as an address, and brings it into a form that can be resolved.
 *
 * @param what The address, as an error calls it. Default: the address.
 * @throws {DatagramError} `INVALID_ADDRESS`
 */
export function toAddress(address: AddressLike, what?: string): Address {
  return typeof address === 'string' ? parseAddress(address) : checkAddress(address, what);
}
