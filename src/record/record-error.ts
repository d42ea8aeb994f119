import { LocalFailure } from '../text/failure.js';

/** A file cannot be recorded to. The message names the file and the reason. The error of the system is the `cause`. */
export class RecordError extends LocalFailure {
  override readonly name: string = 'RecordError';
}

/** The file is no recording that udpcat wrote, or is broken in the middle. It was not changed. */
export class ForeignFileError extends RecordError {
  override readonly name = 'ForeignFileError';
}
