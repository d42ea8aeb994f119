import { decode, type Encoding, EncodingError } from '../text/encoding.js';
import { LocalFailure } from '../text/failure.js';
import { createCutter, type Frame } from './framing.js';
import { decodeJsonLine } from './json-datagram.js';

/** A piece of the input that cannot be sent. All before it were delivered, none after it is. */
export class StreamError extends LocalFailure {
  override readonly name = 'StreamError';

  /** @param piece Its number, from 1: a line, or whatever the frame cuts. */
  constructor(piece: number, noun: string, reason: string) {
    super(`${noun} ${piece} cannot be sent: ${reason}`);
  }

  override get code(): string {
    return 'BAD_INPUT';
  }
}

/** How to turn a byte stream into datagrams. */
export interface StreamFormat {
  readonly frame: Frame;
  /** Of each piece, after it was cut. Not for JSON lines, which say it themselves. */
  readonly encoding: Encoding;
}

/**
 * The datagrams that a byte stream stands for, in arrays of those that one chunk completes.
 *
 * @param limitBytes The largest payload that can be sent.
 * @throws {StreamError} At the first piece that is too long, incomplete or cannot be decoded.
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
    const { frame, encoding } = this.#format;
    const message = frame.kind === 'json' ? decodeJsonLine(piece) : decode(piece, encoding);
    if (message !== undefined && message.length > this.#limitBytes) {
      throw new EncodingError(`it has ${message.length} bytes, and the limit is ${this.#limitBytes}`);
    }
    return message;
  }

  /** The error for the piece after the last that was decoded. */
  failed(reason: string): StreamError {
    const { kind } = this.#format.frame;
    return new StreamError(this.#decoded + 1, kind === 'lines' || kind === 'json' ? 'line' : 'piece', reason);
  }
}
