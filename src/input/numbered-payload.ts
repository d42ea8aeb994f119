import { crc32 } from 'node:zlib';
import { generatePayload, HEADER_BYTES } from './payload.js';
import type { Rounds } from './rounds.js';

const RUN_OFFSET = 4;
const SEQUENCE_OFFSET = 10;
const FIELD_BYTES = 6;
/** The numbers of runs and transmissions are below this. */
const MAX_NUMBER = 2 ** 48;
/** The maximum number of bytes of the payloads that one call of `take` returns. */
const POOL_BYTES = 1024 * 1024;
/** A payload with at least this many bytes of the run's number in their place is one of the run, even if other bytes differ. */
export const LEAST_LIKENESS = 3;

/** The header of a generated payload, decoded. */
export interface PayloadHeader {
  /** The random number of the run that sent the payload. */
  readonly run: number;
  /** The number of the transmission in the run, from 0. */
  readonly sequence: number;
  /** Whether the checksum is right: no byte of the payload was changed, added or cut off. */
  readonly intact: boolean;
  /** CRC-32 of the bytes behind the header. */
  readonly patternCheck: number;
}

/**
 * Generates payloads of one size (`--size`). Each transmission has a different payload, so that an echo shows which
 * request it is a reply to. A payload is a header and the printable pattern of {@link generatePayload}. The numbers of
 * the header are big-endian:
 *
 * | bytes | what |
 * | --- | --- |
 * | 0 to 3 | CRC-32 (as in zlib) of what follows the header, then of the bytes 4 to 15 |
 * | 4 to 9 | random number of the run |
 * | 10 to 15 | sequence number, from 0 |
 *
 * Payloads shorter than the header are only the pattern. They are all equal.
 */
export class NumberedPayloads implements Rounds {
  readonly size = 1;
  /** The random number of the run. Undefined if the payloads are too short for a header. */
  readonly run: number | undefined;
  readonly #runBytes: Uint8Array;
  readonly #pattern: Uint8Array;
  readonly #patternCheck: number;
  /** The payloads of the last call. They are overwritten by the next one, so that sending allocates no memory. */
  readonly #pool: Payload[] = [];

  /**
   * @param bytes Size of each payload.
   * @param run The number of the run, below 2^48. Default: random.
   */
  constructor(bytes: number, run = Math.floor(Math.random() * MAX_NUMBER)) {
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

  /** Decodes the header of a payload. Undefined if the payload is shorter than a header. */
  read(data: Uint8Array): PayloadHeader | undefined {
    return readHeader(data);
  }

  /** Whether a reply is an echo of this run, even a corrupted or shortened one. A service's own response is not. */
  resembles(reply: Uint8Array): boolean {
    return this.run !== undefined && likenessTo(this.run, reply) >= LEAST_LIKENESS;
  }
}

interface Payload {
  readonly bytes: Buffer;
  /** View of the run and the sequence number in `bytes`. */
  readonly numbers: Uint8Array;
}

function createPayload(runBytes: Uint8Array, pattern: Uint8Array): Payload {
  const bytes = Buffer.alloc(HEADER_BYTES + pattern.length);
  bytes.set(runBytes, RUN_OFFSET);
  bytes.set(pattern, HEADER_BYTES);
  return { bytes, numbers: bytes.subarray(RUN_OFFSET, HEADER_BYTES) };
}

/** Decodes the header of a payload. Undefined if the payload is shorter than a header. */
export function readHeader(data: Uint8Array): PayloadHeader | undefined {
  if (data.length < HEADER_BYTES) return undefined;
  const bytes = asBuffer(data);
  const patternCheck = crc32(bytes.subarray(HEADER_BYTES));
  return {
    run: bytes.readUIntBE(RUN_OFFSET, FIELD_BYTES),
    sequence: bytes.readUIntBE(SEQUENCE_OFFSET, FIELD_BYTES),
    intact: bytes.readUInt32BE(0) === crc32(bytes.subarray(RUN_OFFSET, HEADER_BYTES), patternCheck),
    patternCheck,
  };
}

/** How many of the six bytes of a run's number a payload has in their place. */
export function likenessTo(run: number, data: Uint8Array): number {
  let same = 0;
  let rest = run;
  for (let at = SEQUENCE_OFFSET - 1; at >= RUN_OFFSET; at -= 1) {
    if (data[at] === rest % 256) same += 1;
    rest = Math.floor(rest / 256);
  }
  return same;
}

/**
 * Finds the sequence number of a payload with wrong bytes. The checksum of the sender, if it is intact, fits one number only.
 *
 * @param data the first 16 bytes of the payload, or more; fewer if it was cut off
 * @param run the number of the run that sent it
 * @param patternCheck CRC-32 of the bytes behind the header, as the sender sent them
 * @param likely the first of `count` successive numbers, which are tried after the one in the payload
 * @returns `certain` if the checksum fits the number. Otherwise the number in the payload: undefined if it was cut off.
 */
export function findSequence(
  data: Uint8Array,
  run: number,
  patternCheck: number,
  { from, count }: { readonly from: number; readonly count: number },
): { readonly sequence: number | undefined; readonly certain: boolean } {
  const bytes = asBuffer(data);
  const written = bytes.length < HEADER_BYTES ? undefined : bytes.readUIntBE(SEQUENCE_OFFSET, FIELD_BYTES);
  const check = bytes.readUInt32BE(0);
  const numbers = Buffer.alloc(2 * FIELD_BYTES);
  numbers.writeUIntBE(run, 0, FIELD_BYTES);
  const fits = (sequence: number): boolean => {
    numbers.writeUIntBE(sequence, FIELD_BYTES, FIELD_BYTES);
    return crc32(numbers, patternCheck) === check;
  };
  if (written !== undefined && fits(written)) return { sequence: written, certain: true };
  for (let sequence = from; sequence < from + count && sequence < MAX_NUMBER; sequence += 1) {
    if (fits(sequence)) return { sequence, certain: true };
  }
  return { sequence: written, certain: false };
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}
