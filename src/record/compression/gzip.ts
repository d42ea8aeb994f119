import { crc32, createInflateRaw } from 'node:zlib';
import { uint16In, uint32In } from '../byte-order.js';
import type { ByteSource } from '../byte-source.js';
import { CaptureError } from '../capture-error.js';
import { inflate, OUTPUT_BYTES } from './inflation.js';

/** The fixed part of a member's header (RFC 1952 section 2.3). Its flags announce more fields. */
const HEADER_BYTES = 10;
const TRAILER_BYTES = 8;
const DEFLATE = 8;
const HAS_HEADER_CHECKSUM = 0x02;
const HAS_EXTRA = 0x04;
const HAS_NAME = 0x08;
const HAS_COMMENT = 0x10;
/** The maximum number of bytes of a name or a comment. A longer one is taken for an error. */
const MAX_TEXT_BYTES = 65_536;

/**
 * Yields the uncompressed bytes of a gzip file: any number of members (RFC 1952). Zeros may follow the last member.
 *
 * @throws {CaptureError} if the file is broken or ends in a member; the bytes before were yielded
 */
export async function* gunzip(source: ByteSource): AsyncGenerator<Uint8Array, undefined> {
  do {
    await skipHeader(source);
    let checksum = 0;
    let bytes = 0;
    for await (const chunk of inflate('gzip', createInflateRaw({ chunkSize: OUTPUT_BYTES }), source)) {
      checksum = crc32(chunk, checksum);
      bytes = (bytes + chunk.length) >>> 0;
      yield chunk;
    }
    const trailer = await take(source, TRAILER_BYTES);
    if (uint32In(trailer, 0, true) !== checksum || uint32In(trailer, 4, true) !== bytes) {
      throw new CaptureError(source.offset, 'its gzip data are broken: its checksum differs');
    }
  } while (await hasAnother(source));
}

async function skipHeader(source: ByteSource): Promise<void> {
  const { offset } = source;
  const magic = await source.peekExactly(2);
  if (magic[0] !== 0x1f || (magic.length > 1 && magic[1] !== 0x8b)) {
    throw new CaptureError(offset, 'something else follows its gzip data');
  }
  const header = await take(source, HEADER_BYTES);
  if (header[2] !== DEFLATE) {
    throw new CaptureError(offset, `it is compressed by method ${header[2] ?? 0} of gzip; only ${DEFLATE} is read`);
  }
  const flags = header[3] ?? 0;
  if ((flags & HAS_EXTRA) !== 0) await take(source, uint16In(await take(source, 2), 0, true));
  if ((flags & HAS_NAME) !== 0) await skipText(source);
  if ((flags & HAS_COMMENT) !== 0) await skipText(source);
  if ((flags & HAS_HEADER_CHECKSUM) !== 0) await take(source, 2);
}

/** Skips a text that a zero byte ends. */
async function skipText(source: ByteSource): Promise<void> {
  const { offset } = source;
  while (source.offset - offset < MAX_TEXT_BYTES) {
    const bytes = await source.peek(MAX_TEXT_BYTES);
    const end = bytes.indexOf(0);
    source.skip(end < 0 ? bytes.length : end + 1);
    if (end >= 0) return;
    if (bytes.length === 0) throw endedWithin(source);
  }
  throw new CaptureError(offset, 'a text in the header of gzip has no end');
}

/** Skips zeros. Returns whether another member follows them. */
async function hasAnother(source: ByteSource): Promise<boolean> {
  for (;;) {
    const bytes = await source.peek(OUTPUT_BYTES);
    if (bytes.length === 0) return false;
    const at = bytes.findIndex((byte) => byte !== 0);
    source.skip(at < 0 ? bytes.length : at);
    if (at >= 0) return true;
  }
}

async function take(source: ByteSource, count: number): Promise<Uint8Array> {
  const bytes = await source.peekExactly(count);
  if (bytes.length < count) {
    throw endedWithin(source);
  }
  source.skip(count);
  return bytes;
}

function endedWithin({ offset }: ByteSource): CaptureError {
  return new CaptureError(offset, 'the file ends in the middle of its gzip data');
}
