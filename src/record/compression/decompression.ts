import { uint32 } from '../byte-order.js';
import { ByteSource } from '../byte-source.js';
import { CaptureError } from '../capture-error.js';

/** Bytes at the beginning of a file that show its compression. */
const MAGIC_BYTES = 4;

/** Compressions that udpcat does not read: first bytes in hex, name, and the command that decompresses. */
const NOT_READ: readonly (readonly [string, string, string])[] = [
  ['fd377a58', 'xz', 'xz -dc'],
  ['425a68', 'bzip2', 'bzip2 -dc'],
  ['04224d18', 'lz4', 'lz4 -dc'],
  ['1f9d', 'compress', 'gzip -dc'],
  ['504b0304', 'zip', 'unzip -p'],
];

/** Reads a file that may be compressed by gzip, or by zstd (Node 22.15 and later). */
export class Decompression {
  readonly #source: ByteSource;
  #wasCompressed = false;

  /** @param input Chunks of any size. Their bytes must not change any more. */
  constructor(input: AsyncIterable<Uint8Array>) {
    this.#source = new ByteSource(input);
  }

  /** Whether the file is compressed. Known from the first chunk on. */
  get wasCompressed(): boolean {
    return this.#wasCompressed;
  }

  /**
   * Yields the uncompressed bytes of the file. It reads and decompresses only as far as chunks are taken.
   *
   * @throws {CaptureError} if the file is broken, or its compression is not read; the bytes before were yielded
   */
  async *chunks(): AsyncGenerator<Uint8Array, undefined> {
    const source = this.#source;
    try {
      const decompress = await decompressorOf(await source.peekExactly(MAGIC_BYTES));
      if (decompress !== undefined) {
        for await (const chunk of decompress(source)) {
          this.#wasCompressed = true;
          yield chunk;
        }
        return;
      }
      for (let chunk = await source.takeChunk(); chunk !== undefined; chunk = await source.takeChunk()) yield chunk;
    } finally {
      await source.close();
    }
  }
}

type Decompressor = (source: ByteSource) => AsyncGenerator<Uint8Array, undefined>;

async function decompressorOf(start: Uint8Array): Promise<Decompressor | undefined> {
  const magic = uint32(start, 0);
  if (magic >>> 16 === 0x1f8b) return (await import('./gzip.js')).gunzip;
  // A zstd file may begin with skippable frames. There are 16 magic numbers for them: the mask leaves out the four bits
  // in which they differ (RFC 8878 section 3.1.2).
  if (magic === 0x28b52ffd || (magic & 0xf0ff_ffff) >>> 0 === 0x502a4d18) return (await import('./zstd.js')).unzstd;
  const hex = Buffer.from(start).toString('hex');
  const other = NOT_READ.find(([beginning]) => hex.startsWith(beginning));
  if (other === undefined) return undefined;
  const [, name, program] = other;
  throw new CaptureError(0, `it is compressed by ${name}, which is not read: pipe it through ${program}, and replay -`);
}
