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
import type { SocketOptions } from './engines/engine.js';
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

/** @throws {DatagramError} `INVALID_OPTION` for options that are no object, and for one that is of the wrong kind or out of range */
export function checkOptions(options: DatagramSocketOptions): void {
  checkRecord('options', options);
  checkOneOf('overflow', options.overflow, OVERFLOWS);
  checkOneOf('family', options.family, [4, 6]);
  checkOneOf('engine', options.engine, ENGINES);
  checkRange('maxReadQueue', options.maxReadQueue, 1, Number.MAX_SAFE_INTEGER);
  checkRange('ttl', options.ttl, 1, 255);
  checkRange('dscp', options.dscp, 0, 63);
  checkRange('recvBufferBytes', options.recvBufferBytes, 1, 0x3fff_ffff);
  checkRange('sendBufferBytes', options.sendBufferBytes, 1, 0x3fff_ffff);
  checkRange('noMemoryTimeoutMs', options.noMemoryTimeoutMs, 0, Number.MAX_SAFE_INTEGER);
  for (const name of ['broadcast', 'dontFragment', 'reusePort', 'exactDrops'] as const) {
    checkBoolean(name, options[name]);
  }
  checkInterface('multicastInterface', options.multicastInterface);
  checkInterface('bindDevice', options.bindDevice);
  checkFunction('lookup', options.lookup);
  checkSignal(options.signal);
  checkMemberships(options);
}

function checkInterface(option: string, name: string | undefined): void {
  checkText(option, name);
  if (name === undefined || interfaceExists(name)) return;
  throw new DatagramError('INVALID_OPTION', `${option}: this host has no interface "${name}"`);
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
