import { crc32 } from 'node:zlib';
import { generatePayload } from './payload.js';
import type { Rounds } from './rounds.js';

const RUN_OFFSET = 4;
const SEQUENCE_OFFSET = 10;
const FIELD_BYTES = 6;
/** Bytes of the header; a shorter payload carries none. */
export const HEADER_BYTES = 16;
const MAX_RUN = 2 ** 48;
/** What the payloads of one call may take together. */
const POOL_BYTES = 1024 * 1024;
/** So many bytes of the run's id in their place show an echo, though the rest may have been corrupted. */
const LEAST_LIKENESS = 3;

/** What the header of a generated payload says. */
export interface PayloadHeader {
  /** The run that sent it. */
  readonly run: number;
  /** Which of its transmissions it is, from 0. */
  readonly sequence: number;
  /** Whether the check holds: no byte of the payload was changed, added or cut off. */
  readonly intact: boolean;
}

/**
 * Generated payloads of one size, a different one for each transmission, so that what an echo sends back tells which one it
 * answers. In front of the printable pattern of {@link generatePayload} stands a header, all numbers big-endian:
 *
 * | bytes | what |
 * | --- | --- |
 * | 0 to 3 | CRC-32 (as in zlib) of what follows the header, then of the bytes 4 to 15 |
 * | 4 to 9 | random number of the run |
 * | 10 to 15 | sequence number, from 0 |
 *
 * Payloads shorter than the header are the pattern alone, and always the same.
 */
export class NumberedPayloads implements Rounds {
  readonly size = 1;
  /** The number of the run, undefined where the payloads are too short to carry it. */
  readonly run: number | undefined;
  readonly #runBytes: Uint8Array;
  readonly #pattern: Uint8Array;
  readonly #patternCheck: number;
  /** Written anew for each call: sending at full speed costs no memory. */
  readonly #pool: Payload[] = [];

  /** @param run below 2^48; default: random */
  constructor(bytes: number, run = Math.floor(Math.random() * MAX_RUN)) {
    const numbered = bytes >= HEADER_BYTES;
    this.run = numbered ? run : undefined;
    const runBytes = Buffer.alloc(FIELD_BYTES);
    runBytes.writeUIntBE(run, 0, FIELD_BYTES);
    this.#runBytes = runBytes;
    this.#pattern = generatePayload(numbered ? bytes - HEADER_BYTES : bytes);
    this.#patternCheck = crc32(this.#pattern);
  }

  take(first: number, count: number): readonly Uint8Array[] {
    const { run } = this;
    if (run === undefined) return Array.from({ length: count }, () => this.#pattern);
    const most = Math.max(1, Math.min(count, Math.floor(POOL_BYTES / (HEADER_BYTES + this.#pattern.length))));
    while (this.#pool.length < most) this.#pool.push(createPayload(this.#runBytes, this.#pattern));
    return this.#pool.slice(0, most).map((payload, index) => {
      payload.bytes.writeUIntBE(first + index, SEQUENCE_OFFSET, FIELD_BYTES);
      payload.bytes.writeUInt32BE(crc32(payload.numbers, this.#patternCheck), 0);
      return payload.bytes;
    });
  }

  /** What the header of a payload says; undefined where it is too short to have one. */
  read(data: Uint8Array): PayloadHeader | undefined {
    return readHeader(data);
  }

  /** Whether a reply echoes one of these, changed or cut off as it may be, rather than being a service's own. */
  resembles(reply: Uint8Array): boolean {
    const same = this.#runBytes.filter((byte, index) => reply[RUN_OFFSET + index] === byte);
    return this.run !== undefined && same.length >= LEAST_LIKENESS;
  }
}

interface Payload {
  readonly bytes: Buffer;
  /** Run and sequence number within them. */
  readonly numbers: Uint8Array;
}

function createPayload(runBytes: Uint8Array, pattern: Uint8Array): Payload {
  const bytes = Buffer.alloc(HEADER_BYTES + pattern.length);
  bytes.set(runBytes, RUN_OFFSET);
  bytes.set(pattern, HEADER_BYTES);
  return { bytes, numbers: bytes.subarray(RUN_OFFSET, HEADER_BYTES) };
}

function readHeader(data: Uint8Array): PayloadHeader | undefined {
  if (data.length < HEADER_BYTES) return undefined;
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  const check = crc32(bytes.subarray(RUN_OFFSET, HEADER_BYTES), crc32(bytes.subarray(HEADER_BYTES)));
  return {
    run: bytes.readUIntBE(RUN_OFFSET, FIELD_BYTES),
    sequence: bytes.readUIntBE(SEQUENCE_OFFSET, FIELD_BYTES),
    intact: bytes.readUInt32BE(0) === check,
  };
}
