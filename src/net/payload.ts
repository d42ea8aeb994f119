import { types } from 'node:util';
import { wrongArgument } from './arguments.js';
import type { Payload } from './datagram.js';
import { DatagramError } from './errors.js';

type Memory = Exclude<Payload, string>;

const PAYLOADS = 'text, a Buffer or another view of memory, an ArrayBuffer or a SharedArrayBuffer';

/**
 * Returns the bytes of a payload: UTF-8 of a string, a view of other payloads, without a copy.
 *
 * @param index Its place in a batch, from 0. Error messages name it. Default: the payload is the only one.
 * @throws {DatagramError} `INVALID_PAYLOAD` if the value is not a payload, or its memory was detached
 */
export function toBytes(payload: Payload, index?: number): Uint8Array {
  if (typeof payload === 'string') return Buffer.from(payload, 'utf8');
  if (types.isUint8Array(payload) && payload.length > 0) return payload;
  if (!ArrayBuffer.isView(payload) && !types.isAnyArrayBuffer(payload)) {
    throw wrongArgument(nameOf(index), PAYLOADS, payload, 'INVALID_PAYLOAD');
  }
  try {
    return bytesOf(payload);
  } catch (cause) {
    const why = 'its memory was detached, or is smaller now';
    throw new DatagramError('INVALID_PAYLOAD', `cannot send ${nameOf(index)}: ${why}`, { cause });
  }
}

function nameOf(index: number | undefined): string {
  return index === undefined ? 'the payload' : `payload ${index}`;
}

/** @throws {TypeError} if the memory was detached */
function bytesOf(memory: Memory): Uint8Array {
  if (!ArrayBuffer.isView(memory)) return new Uint8Array(memory, 0, memory.byteLength);
  // A typed array of detached memory has the length 0, and only its methods throw. A DataView throws when it is read.
  if (types.isTypedArray(memory)) memory.at(0);
  return types.isUint8Array(memory) ? memory : new Uint8Array(memory.buffer, memory.byteOffset, memory.byteLength);
}
