/** The response to a request. */
export interface Reply {
  readonly status: number;
  /** The media type of the body. */
  readonly type: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** The whole text; or its parts one by one, which are compressed if the client accepts it. */
  readonly body: string | AsyncIterable<string>;
}

const TEXT_TYPE = 'text/plain; charset=utf-8';

/** A reply of plain text. */
export function textReply(status: number, body: string): Reply {
  return { status, type: TEXT_TYPE, body };
}

/** A reply of JSON. */
export function jsonReply(status: number, value: unknown): Reply {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` };
}

/** A request is refused. The client sees the status, and the message as one line. */
export class HttpError extends Error {
  override readonly name = 'HttpError';
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(message);
    this.status = status;
    this.headers = headers;
  }

  get reply(): Reply {
    return { ...textReply(this.status, `${this.message}\n`), headers: this.headers };
  }
}
