/** The values of `--eol`, and the bytes that each puts behind a message. */
const BYTES_OF_EOL = { lf: '\n', crlf: '\r\n', nul: '\0' } as const;

/** The end of a line: a value of `--eol`. */
export type Eol = keyof typeof BYTES_OF_EOL;

export const EOLS = Object.keys(BYTES_OF_EOL) as readonly Eol[];

/** Returns a message with the end of line behind it. Returns the message itself if `eol` is undefined. */
export function withEol(message: Uint8Array, eol: Eol | undefined): Uint8Array {
  return eol === undefined ? message : Buffer.concat([message, Buffer.from(BYTES_OF_EOL[eol])]);
}
