import { inspect, types } from 'node:util';
import type { Endpoint } from './datagram.js';
import { DatagramError, type DatagramErrorCode } from './errors.js';

/** Writes a value for an error message: on one line, cut after 100 characters. */
export function shown(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Infinity, customInspect: false, maxStringLength: 60 });
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Whether a value is an object, but not an array, a function or null. */
export function isRecord(value: unknown): value is Readonly<Record<PropertyKey, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The error about an argument of a wrong value: `name must be expected, not value`. Default code: `INVALID_OPTION`. */
export function wrongArgument(
  name: string,
  expected: string,
  value: unknown,
  code: DatagramErrorCode = 'INVALID_OPTION',
): DatagramError {
  return new DatagramError(code, `${name} must be ${expected}, not ${shown(value)}`);
}

/** @throws {DatagramError} `INVALID_OPTION` if the value is not an object */
export function checkRecord(name: string, value: unknown): void {
  if (!isRecord(value)) throw wrongArgument(name, 'an object', value);
}

/** Checks an optional choice. @throws {DatagramError} `INVALID_OPTION` if the value is not one of `all` */
export function checkOneOf(name: string, value: unknown, all: readonly unknown[]): void {
  if (value === undefined || all.includes(value)) return;
  throw wrongArgument(name, `one of ${all.join(', ')}`, value);
}

/**
 * Checks an optional number.
 *
 * @throws {DatagramError} `INVALID_OPTION` if it is not a whole number from `least` to `most`
 */
export function checkRange(name: string, value: unknown, least: number, most: number): void {
  const isWhole = typeof value === 'number' && Number.isInteger(value);
  if (value === undefined || (isWhole && value >= least && value <= most)) return;
  throw wrongArgument(name, `a whole number from ${least} to ${most}`, value);
}

/** Checks an optional boolean. @throws {DatagramError} `INVALID_OPTION` if it is not true or false */
export function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw wrongArgument(name, 'true or false', value);
}

/** Checks an optional function. @throws {DatagramError} `INVALID_OPTION` if it cannot be called */
export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw wrongArgument(name, 'a function', value);
}

/** Checks an optional string. @throws {DatagramError} `INVALID_OPTION` if it is not a string */
export function checkText(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw wrongArgument(name, 'text', value);
}

/**
 * Checks the option `timesMs` of a batch of `count` datagrams.
 *
 * @throws {DatagramError} `INVALID_OPTION` if it is not a Float64Array of at least `count` numbers
 */
export function checkTimes(value: unknown, count: number): void {
  if (value === undefined || (types.isFloat64Array(value) && value.length >= count)) return;
  throw wrongArgument('timesMs', `a Float64Array of at least ${count} places`, value);
}

const SIGNAL_METHODS = ['addEventListener', 'removeEventListener', 'throwIfAborted'] as const;

/**
 * Checks an optional abort signal by its members. `instanceof` would refuse a signal of another realm (node:vm, jest)
 * and of another implementation.
 *
 * @throws {DatagramError} `INVALID_OPTION` if it is not an AbortSignal
 */
export function checkSignal(value: unknown): void {
  if (value === undefined) return;
  const isSignal =
    isRecord(value) &&
    typeof value.aborted === 'boolean' &&
    SIGNAL_METHODS.every((method) => typeof value[method] === 'function');
  if (!isSignal) throw wrongArgument('signal', 'an AbortSignal', value);
}

/** Whether a value has the shape of an endpoint. Does not check that the address is a literal: each send calls this. */
export function isEndpoint(value: unknown): value is Endpoint {
  const { address, port } = (value ?? {}) as Partial<Endpoint>;
  return typeof address === 'string' && typeof port === 'number';
}

/** The error about a value that is not an endpoint. `what` names the argument. */
export function noEndpoint(value: unknown, what = 'an endpoint'): DatagramError {
  return wrongArgument(what, '{ address, port }, text and a number', value, 'INVALID_ADDRESS');
}
