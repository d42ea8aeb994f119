import { decode, type Encoding, EncodingError } from '../text/encoding.js';
import { LocalFailure } from '../text/failure.js';
import { type Eol, withEol } from './eol.js';
import { createCutter, type Cutter, type Frame } from './framing.js';
import { decodeJsonLine } from './json-datagram.js';
import { OwnLines } from './own-lines.js';

const NEWLINE = 0x0a;

/** A piece of the input cannot be sent. The pieces before it were delivered; no later piece is. */
export class StreamError extends LocalFailure {
  override readonly name = 'StreamError';

  /**
   * @param piece Number of the piece, from 1.
   * @param noun What the message calls a piece: `line` or `piece`.
   */
  constructor(piece: number, noun: string, reason: string) {
    super(`${noun} ${piece} cannot be sent: ${reason}`);
  }

  override get code(): string {
    return 'BAD_INPUT';
  }
}

/** How a byte stream becomes datagrams. */
export interface StreamFormat {
  readonly frame: Frame;
  /** Encoding of each piece. Not used for JSON lines, which say how their payload is encoded. */
  readonly encoding: Encoding;
  /** The end of line behind each piece, after it was decoded. Only for lines. Default: none. */
  readonly eol?: Eol | undefined;
}

/**
 * Reads payloads of datagrams from a byte stream. Yields an array of the payloads that one chunk completes.
 *
 * @param limitBytes Most bytes of a payload.
 * @throws {StreamError} at the first piece that is too long, incomplete or not valid; the pieces before it were yielded
 */
export async function* readMessages(
  input: AsyncIterable<Uint8Array>,
  format: StreamFormat,
  limitBytes: number,
): AsyncGenerator<readonly Uint8Array[], undefined> {
  const reader = new (format.frame.kind === 'json' ? LineReader : PieceReader)(format, limitBytes);
  for await (const chunk of input) yield* deliver(reader.push(chunk));
  yield* deliver(reader.end());
}

/** The payloads that a chunk completes, and why no later piece can be sent. */
interface Delivery {
  readonly messages: readonly Uint8Array[];
  readonly error?: StreamError | undefined;
}

function* deliver({ messages, error }: Delivery): Generator<readonly Uint8Array[], undefined> {
  if (messages.length > 0) yield messages;
  if (error !== undefined) throw error;
}

/** Cuts a stream into pieces, and decodes them. */
class PieceReader {
  readonly #format: StreamFormat;
  readonly #limitBytes: number;
  readonly #cutter: Cutter;
  /** How many pieces were decoded. */
  protected decoded = 0;

  constructor(format: StreamFormat, limitBytes: number) {
    this.#format = format;
    this.#limitBytes = limitBytes;
    this.#cutter = createCutter(format.frame);
  }

  /** Takes a chunk. */
  push(chunk: Uint8Array): Delivery {
    return this.#decode(this.#cutter.push(chunk));
  }

  /** Ends the stream. */
  end(): Delivery {
    return this.#decode(this.#cutter.end());
  }

  #decode(pieces: readonly Uint8Array[]): Delivery {
    const messages: Uint8Array[] = [];
    for (const piece of pieces) {
      try {
        const message = this.#decodeOne(piece);
        if (message !== undefined) messages.push(message);
      } catch (error) {
        if (error instanceof EncodingError) return { messages, error: this.#failed(error.message) };
        throw error;
      }
      this.decoded += 1;
    }
    const { failure } = this.#cutter;
    return { messages, error: failure === undefined ? undefined : this.#failed(failure) };
  }

  #decodeOne(piece: Uint8Array): Uint8Array | undefined {
    const { frame, encoding, eol } = this.#format;
    const message = frame.kind === 'json' ? decodeJsonLine(piece) : withEol(decode(piece, encoding), eol);
    if (message !== undefined && message.length > this.#limitBytes) {
      throw new EncodingError(`it has ${message.length} bytes, and the limit is ${this.#limitBytes}`);
    }
    return message;
  }

  /** Makes the error for the piece behind the last decoded one. */
  #failed(reason: string): StreamError {
    const { kind } = this.#format.frame;
    return new StreamError(this.decoded + 1, kind === 'lines' || kind === 'json' ? 'line' : 'piece', reason);
  }
}

/** Reads JSON lines: most of them stand as udpcat writes them, which is a shorter way. */
class LineReader extends PieceReader {
  readonly #own: OwnLines;
  /** Whether the next chunk begins with a new line. */
  #startsLine = true;

  constructor(format: StreamFormat, limitBytes: number) {
    super(format, limitBytes);
    this.#own = new OwnLines(limitBytes);
  }

  override push(chunk: Uint8Array): Delivery {
    const messages: Uint8Array[] = [];
    for (let at = 0; at < chunk.length;) {
      const end = this.#startsLine ? this.#own.read(chunk, at) : -1;
      if (end >= 0) {
        messages.push(this.#own.payload);
        this.decoded += 1;
        at = end;
        continue;
      }
      const newline = chunk.indexOf(NEWLINE, at);
      this.#startsLine = newline >= 0;
      const behind = newline < 0 ? chunk.length : newline + 1;
      const other = super.push(chunk.subarray(at, behind));
      messages.push(...other.messages);
      if (other.error !== undefined) return { messages, error: other.error };
      at = behind;
    }
    return { messages };
  }
}
