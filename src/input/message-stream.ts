import { decode, type Encoding, EncodingError } from '../text/encoding.js';
import { LocalFailure } from '../text/failure.js';
import { type Eol, withEol } from './eol.js';
import { createCutter, type Frame } from './framing.js';
import { decodeJsonLine } from './json-datagram.js';

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
  const cutter = createCutter(format.frame);
  const decoder = new PieceDecoder(format, limitBytes);
  for await (const chunk of input) {
    yield* deliver(decoder, cutter.push(chunk), cutter.failure);
  }
  yield* deliver(decoder, cutter.end(), cutter.failure);
}

function* deliver(
  decoder: PieceDecoder,
  pieces: readonly Uint8Array[],
  failure: string | undefined,
): Generator<readonly Uint8Array[], undefined> {
  const { messages, error } = decoder.decode(pieces);
  if (messages.length > 0) yield messages;
  if (error !== undefined) throw error;
  if (failure !== undefined) throw decoder.failed(failure);
}

class PieceDecoder {
  readonly #format: StreamFormat;
  readonly #limitBytes: number;
  #decoded = 0;

  constructor(format: StreamFormat, limitBytes: number) {
    this.#format = format;
    this.#limitBytes = limitBytes;
  }

  decode(pieces: readonly Uint8Array[]): { messages: Uint8Array[]; error?: StreamError } {
    const messages: Uint8Array[] = [];
    for (const piece of pieces) {
      try {
        const message = this.#decodeOne(piece);
        if (message !== undefined) messages.push(message);
      } catch (error) {
        if (error instanceof EncodingError) return { messages, error: this.failed(error.message) };
        throw error;
      }
      this.#decoded += 1;
    }
    return { messages };
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
  failed(reason: string): StreamError {
    const { kind } = this.#format.frame;
    return new StreamError(this.#decoded + 1, kind === 'lines' || kind === 'json' ? 'line' : 'piece', reason);
  }
}
