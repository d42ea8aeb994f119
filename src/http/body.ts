import type { IncomingMessage } from 'node:http';
import { HttpError } from './reply.js';

/**
 * Reads the body of a request.
 *
 * @param most the largest size in bytes; 0: requests must not have a body
 * @throws {HttpError} 400 for a body that must not be there or is not UTF-8, 413 for one that is too large
 */
export async function readBody(request: IncomingMessage, most: number): Promise<string> {
  const declared = declaredBytes(request);
  if (declared === 0) return '';
  if (most === 0) throw new HttpError(400, 'requests must not have a body', CLOSE);
  const tooLarge = new HttpError(413, `a request has at most ${most} bytes`, CLOSE);
  if (declared !== undefined && declared > most) throw tooLarge;
  const bytes = await collect(request, most, tooLarge);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new HttpError(400, 'the body is not UTF-8');
  }
}

/** Leaving a loop over the request would close its connection, before the client has the reply. So this listens. */
function collect(request: IncomingMessage, most: number, tooLarge: HttpError): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= most) chunks.push(chunk);
      else reject(tooLarge);
    });
    request.once('end', () => {
      resolve(Buffer.concat(chunks));
    });
    request.once('error', () => {
      reject(new HttpError(400, 'the body broke off', CLOSE));
    });
  });
}

/** The rest of the body is not read, so that no further request can come by the connection. */
const CLOSE = { Connection: 'close' };

/** The size of the body in bytes; undefined if the client does not tell it before the end. */
export function declaredBytes({ headers }: IncomingMessage): number | undefined {
  return headers['transfer-encoding'] === undefined ? Number(headers['content-length'] ?? 0) : undefined;
}
