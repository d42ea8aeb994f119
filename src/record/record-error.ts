import { LocalFailure } from '../text/failure.js';

/** A recording cannot be begun, or takes no more. The message says which file and why; the system's error is the `cause`. */
export class RecordError extends LocalFailure {
  override readonly name: string = 'RecordError';
}

/** The file holds something else than a recording of udpcat's own, or is broken: it is left as it is. */
export class ForeignFileError extends RecordError {
  override readonly name = 'ForeignFileError';
}
