import { uint32 } from '../byte-order.js';
import { ByteSource } from '../byte-source.js';
import { CaptureError } from '../capture-error.js';

/** Bytes that tell how a file was compressed, if it was. */
const MAGIC_BYTES = 4;

/** Ways to compress that are not read, by how files begin, and the program that undoes them. */
const NOT_READ: readonly (readonly [string, string, string])[] = [
  ['fd377a58', 'xz', 'xz -dc'],
  ['425a68', 'bzip2', 'bzip2 -dc'],
  ['04224d18', 'lz4', 'lz4 -dc'],
  ['1f9d', 'compress', 'gzip -dc'],
  ['504b0304', 'zip', 'unzip -p'],
];

/** The bytes of a file, decompressed if it was compressed by gzip or, where Node knows it, zstd. */
export class Decompression {
  readonly #source: ByteSource;
  #wasCompressed = false;

  /** @param input Chunks of any size, which must not change any more. */
  constructor(input: AsyncIterable<Uint8Array>) {
    this.#source = new ByteSource(input);
  }

  /** Whether the file was compressed; known when its first bytes were given. */
  get wasCompressed(): boolean {
    return this.#wasCompressed;
  }

  /**
   * No more is read and decompressed than is taken.
   *
   * @throws {CaptureError} At what is broken or not read; what stood before was given.
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
  // Frames that are to be skipped may come first; their numbers differ in four bits (RFC 8878 section 3.1.2).
  if (magic === 0x28b52ffd || (magic & 0xf0ff_ffff) >>> 0 === 0x502a4d18) return (await import('./zstd.js')).unzstd;
  const hex = Buffer.from(start).toString('hex');
  const other = NOT_READ.find(([beginning]) => hex.startsWith(beginning));
  if (other === undefined) return undefined;
  const [, name, program] = other;
  throw new CaptureError(0, `it is compressed by ${name}, which is not read: pipe it through ${program}, and replay -`);
}
