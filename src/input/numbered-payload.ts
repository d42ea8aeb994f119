import { crc32 } from 'node:zlib';
import {
  checkOf,
  FIELD_BYTES,
  LEAST_LIKENESS,
  likenessTo,
  MAX_NUMBER,
  type PayloadHeader,
  readHeader,
  RUN_OFFSET,
  SEQUENCE_OFFSET,
} from './numbered-header.js';
import { generatePayload, HEADER_BYTES } from './payload.js';
import type { Rounds } from './rounds.js';

/** The maximum number of bytes of the payloads that one call of `take` returns. */
const POOL_BYTES = 1024 * 1024;

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
  readonly #pool: Buffer[] = [];

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
    return this.#pool.slice(0, most).map((bytes, index) => {
      bytes.writeUIntBE(first + index, SEQUENCE_OFFSET, FIELD_BYTES);
      bytes.writeUInt32BE(checkOf(bytes, RUN_OFFSET, this.#patternCheck), 0);
      return bytes;
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

function createPayload(runBytes: Uint8Array, pattern: Uint8Array): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES + pattern.length);
  bytes.set(runBytes, RUN_OFFSET);
  bytes.set(pattern, HEADER_BYTES);
  return bytes;
}
