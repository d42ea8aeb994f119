import { inspect, types } from 'node:util';
import type { Endpoint } from './datagram.js';
import { DatagramError, type DatagramErrorCode } from './errors.js';

/** A value as an error message shows it: on one line, and cut where it is long. */
export function shown(value: unknown): string {
  const text = inspect(value, { depth: 0, breakLength: Infinity, customInspect: false, maxStringLength: 60 });
  return text.length > 100 ? `${text.slice(0, 100)}…` : text;
}

/** Whether it is an object with members, which an array and a function are not. */
export function isRecord(value: unknown): value is Readonly<Record<PropertyKey, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The error about an argument that cannot be what was given. */
export function wrongArgument(
  name: string,
  expected: string,
  value: unknown,
  code: DatagramErrorCode = 'INVALID_OPTION',
): DatagramError {
  return new DatagramError(code, `${name} must be ${expected}, not ${shown(value)}`);
}

/** @throws {DatagramError} `INVALID_OPTION` for options that are no object */
export function checkRecord(name: string, value: unknown): void {
  if (!isRecord(value)) throw wrongArgument(name, 'an object', value);
}

/** @throws {DatagramError} `INVALID_OPTION` for a value that is not among those there are */
export function checkOneOf(name: string, value: unknown, all: readonly unknown[]): void {
  if (value === undefined || all.includes(value)) return;
  throw wrongArgument(name, `one of ${all.join(', ')}`, value);
}

/** @throws {DatagramError} `INVALID_OPTION` for a value that is no whole number, or outside its range */
export function checkRange(name: string, value: unknown, least: number, most: number): void {
  const isWhole = typeof value === 'number' && Number.isInteger(value);
  if (value === undefined || (isWhole && value >= least && value <= most)) return;
  throw wrongArgument(name, `a whole number from ${least} to ${most}`, value);
}

/** @throws {DatagramError} `INVALID_OPTION` for a value that is neither true nor false */
export function checkBoolean(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean') throw wrongArgument(name, 'true or false', value);
}

/** @throws {DatagramError} `INVALID_OPTION` for a value that cannot be called */
export function checkFunction(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw wrongArgument(name, 'a function', value);
}

/** @throws {DatagramError} `INVALID_OPTION` for a value that is no text */
export function checkText(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'string') throw wrongArgument(name, 'text', value);
}

/** @throws {DatagramError} `INVALID_OPTION` for what has no room for a time of each datagram */
export function checkTimes(value: unknown, count: number): void {
  if (value === undefined || (types.isFloat64Array(value) && value.length >= count)) return;
  throw wrongArgument('timesMs', `a Float64Array of at least ${count} places`, value);
}

const SIGNAL_METHODS = ['addEventListener', 'removeEventListener', 'throwIfAborted'] as const;

/**
 * Checks a signal by what it can do: its class may be that of another context, or another implementation's.
 *
 * @throws {DatagramError} `INVALID_OPTION`
 */
export function checkSignal(value: unknown): void {
  if (value === undefined) return;
  const isSignal =
    isRecord(value) &&
    typeof value.aborted === 'boolean' &&
    SIGNAL_METHODS.every((method) => typeof value[method] === 'function');
  if (!isSignal) throw wrongArgument('signal', 'an AbortSignal', value);
}

/** Whether a value has the shape of an endpoint; its address may be no literal still. Asked for each datagram. */
export function isEndpoint(value: unknown): value is Endpoint {
  const { address, port } = (value ?? {}) as Partial<Endpoint>;
  return typeof address === 'string' && typeof port === 'number';
}

/** The error about a value that is no endpoint. */
export function noEndpoint(value: unknown, what = 'an endpoint'): DatagramError {
  return wrongArgument(what, '{ address, port }, text and a number', value, 'INVALID_ADDRESS');
}
