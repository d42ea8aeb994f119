import type { Readable } from 'node:stream';
import { decode, type Encoding, EncodingError } from '../text/encoding.js';
import { createCutter } from './framing.js';

/** The functions that take typed lines. */
export interface TypedLineHandlers {
  /** Called with each decoded line, without its newline. */
  readonly line: (payload: Uint8Array) => void;
  /** Called for a line that cannot be decoded, and for one that is too long. After a long line the reading ends. */
  readonly bad: (error: EncodingError) => void;
  /** Called once at the end of stdin; not after `stop`. */
  readonly end: () => void;
}

/** Typed lines that are being read. */
export interface TypedLines {
  /** Ends the reading. Further calls do nothing. */
  readonly stop: () => void;
}

/** Reads lines that a person types, until `stop` is called or stdin ends. */
export function readTypedLines(stdin: Readable, encoding: Encoding, handlers: TypedLineHandlers): TypedLines {
  const cutter = createCutter({ kind: 'lines' });
  const take = (pieces: readonly Uint8Array[]): void => {
    for (const piece of pieces) {
      try {
        handlers.line(decode(piece, encoding));
      } catch (error) {
        if (!(error instanceof EncodingError)) throw error;
        handlers.bad(error);
      }
    }
  };
  const onData = (chunk: Uint8Array): void => {
    take(cutter.push(chunk));
    if (cutter.failure !== undefined) {
      handlers.bad(new EncodingError(cutter.failure));
      onEnd();
    }
  };
  const onEnd = (): void => {
    stop();
    take(cutter.end());
    handlers.end();
  };
  const stop = (): void => {
    stdin.off('data', onData).off('end', onEnd).off('error', onEnd);
    // An open stdin would keep the process from ending.
    stdin.destroy();
  };
  stdin.on('data', onData).on('end', onEnd).on('error', onEnd);
  return { stop };
}
