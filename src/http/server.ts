import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { isLoopback } from '../net/address/endpoint.js';
import { canonicalAddress } from '../net/address/literal.js';
import { resolveAddress } from '../net/address/resolve.js';
import { describeSystemError, systemCode } from '../net/errors.js';
import { type Address, type Endpoint, formatEndpoint, type Lookup } from '../net/index.js';
import { LocalFailure } from '../text/failure.js';
import { type Abortable, OnceSignal } from '../timing/once-signal.js';
import { Turns } from '../timing/turns.js';
import { acceptsGzip } from './accepts.js';
import { declaredBytes, readBody } from './body.js';
import type { Gate } from './gate.js';
import { HttpError, type Reply } from './reply.js';
import { route, type Route } from './router.js';

/** The bounds of a server. */
export const LIMITS = {
  /** Connections at a time. More are closed as soon as they open. */
  connections: 256,
  /** All headers of a request. */
  headerBytes: 16 * 1024,
  /** To receive a request, and again to write its reply. An idle connection is closed after this time, too. */
  requestMs: 10_000,
  /** Requests of a connection that wait for their replies. With more the connection is closed. */
  pipelined: 2,
  /** How often the server looks for connections that take too long. */
  lookMs: 1000,
} as const;

/** Options of {@link serveHttp}. */
export interface HttpOptions {
  /** The TCP address to listen on. Port 0: the kernel chooses. */
  readonly listen: Address;
  /** Makes the table of routes. `isLoopback`: whether the server listens on the loopback only. */
  readonly routes: (isLoopback: boolean) => readonly Route[];
  /** Refuses requests before they are routed. Default: only routes refuse. */
  readonly gate?: Gate;
  /** The largest body of a request in bytes. Default: requests must not have a body. */
  readonly maxBodyBytes?: number;
  /** Writes the reply to a request that is refused. Default: one line of text. */
  readonly refusal?: (error: HttpError) => Reply;
  /** Gives each request a turn, so that many requests at a time hold up no datagrams. Default: one round of the loop for each. */
  readonly turns?: Turns;
  /** Looks up the name of `listen`. Default: the resolver of the system. */
  readonly lookup?: Lookup | undefined;
  /** The time to receive a request, and to write its reply, in milliseconds. Default: 10 s. */
  readonly requestMs?: number;
  /** Called with an error that is a mistake in this program. The client sees status 500. */
  readonly failed: (error: unknown) => void;
}

/** A server of HTTP. Disposal closes all its connections. */
export interface HttpServer extends AsyncDisposable {
  /** The address that it listens on. */
  readonly local: Endpoint;
}

/**
 * Serves HTTP from a table of routes, within {@link LIMITS}.
 *
 * @throws {DatagramError} if the name of the address cannot be resolved
 * @throws {LocalFailure} if the address cannot be listened on
 */
export async function serveHttp({
  listen,
  routes,
  lookup,
  requestMs = LIMITS.requestMs,
  gate,
  maxBodyBytes = 0,
  turns = new Turns(),
  refusal = ({ reply }) => reply,
  failed,
}: HttpOptions): Promise<HttpServer> {
  const server = createServer({
    maxHeaderSize: LIMITS.headerBytes,
    requestTimeout: requestMs,
    headersTimeout: requestMs,
    keepAliveTimeout: requestMs,
    connectionsCheckingInterval: Math.min(LIMITS.lookMs, requestMs),
    // Node would refuse without a word.
    requireHostHeader: false,
  });
  server.maxConnections = LIMITS.connections;
  // Node would leave out headers beyond this number. Their bytes are limited already.
  server.maxHeadersCount = 0;
  const local = await listenOn(server, listen, lookup);
  const onLoopback = isLoopback(local.address);
  const table = await tableOf(server, () => routes(onLoopback));
  const answering: Answering = {
    routes: table,
    isLoopback: onLoopback,
    gate,
    maxBodyBytes,
    turns,
    refusal,
    requestMs,
    failed,
  };
  const waiting = new WeakMap<Duplex, number>();
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const { socket } = request;
    const count = (waiting.get(socket) ?? 0) + 1;
    if (count > LIMITS.pipelined) {
      socket.destroy();
      return;
    }
    waiting.set(socket, count);
    response.once('close', () => waiting.set(socket, (waiting.get(socket) ?? 1) - 1));
    void answer(request, response, answering);
  };
  server.on('request', onRequest);
  // Without this listener Node would ask the client for every body.
  server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    const bytes = declaredBytes(request) ?? 0;
    if (maxBodyBytes > 0 && bytes <= maxBodyBytes) response.writeContinue();
    onRequest(request, response);
  });
  server.on('clientError', refuseBroken);
  server.on('connect', (_request, socket) => {
    endWith(socket, 405, 'this server is no proxy', 'Allow: GET, HEAD\r\n');
  });
  // Idle connections make room for clients that have something to ask.
  server.on('drop', () => {
    server.closeIdleConnections();
  });
  return {
    local,
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
}

/** Makes the table of routes. If there can be none, closes the server. */
async function tableOf(server: Server, make: () => readonly Route[]): Promise<readonly Route[]> {
  try {
    return make();
  } catch (error) {
    await new Promise((resolve) => server.close(resolve));
    throw error;
  }
}

/** Binds the server to the first address of the name that this host has. */
async function listenOn(server: Server, listen: Address, lookup: Lookup | undefined): Promise<Endpoint> {
  const [first, ...others] = await resolveAddress(listen, undefined, undefined, lookup);
  // Without an address, Node listens on `::`, or on `0.0.0.0` where the host has no IPv6.
  const hostOf = ({ address }: Endpoint): string | undefined => (listen.host.kind === 'any' ? undefined : address);
  let failure: unknown;
  for (const candidate of [first, ...others]) {
    try {
      await bind(server, hostOf(candidate), candidate.port);
      const { address, port } = server.address() as AddressInfo;
      return { address: canonicalAddress(address), port };
    } catch (error) {
      failure ??= error;
      if (!['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(systemCode(error) ?? '')) break;
    }
  }
  const remedy = systemCode(failure) === 'EADDRINUSE' ? '; choose another port, or 0 for a free one' : '';
  const message = `cannot listen on ${formatEndpoint(first)} (TCP): ${describeSystemError(failure)}${remedy}`;
  throw new LocalFailure(message, { cause: failure });
}

function bind(server: Server, host: string | undefined, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

/** What a server needs to answer a request. */
interface Answering {
  readonly routes: readonly Route[];
  readonly isLoopback: boolean;
  readonly gate: Gate | undefined;
  readonly maxBodyBytes: number;
  readonly turns: Turns;
  readonly refusal: (error: HttpError) => Reply;
  readonly requestMs: number;
  readonly failed: (error: unknown) => void;
}

/** Answers one request. It never rejects. */
async function answer(request: IncomingMessage, response: ServerResponse, answering: Answering): Promise<void> {
  const gone = new OnceSignal();
  const end = (): void => {
    gone.abort();
  };
  // A response that waits for an earlier one has no connection yet, and is not told when that closes.
  request.socket.once('close', end);
  response.once('close', () => {
    request.socket.off('close', end);
    end();
  });
  let reply: Reply;
  try {
    reply = await replyTo(request, answering, gone);
  } catch (error) {
    if (gone.aborted) return;
    if (!(error instanceof HttpError)) answering.failed(error);
    const refused =
      error instanceof HttpError ? error : new HttpError(500, 'udpcat made a mistake; its log tells more');
    reply = answering.refusal(refused);
  }
  if (!gone.aborted) await write(reply, request, response, answering, gone);
}

async function replyTo(
  request: IncomingMessage,
  { routes, isLoopback: onLoopback, gate, maxBodyBytes, turns }: Answering,
  signal: Abortable,
): Promise<Reply> {
  await turns.take();
  if (signal.aborted) throw new Error('the client is gone');
  const { method = '', url = '', headers, httpVersion } = request;
  if (httpVersion === '1.1' && headers.host === undefined) {
    throw new HttpError(400, 'HTTP/1.1 requests need the header Host');
  }
  gate?.check(headers, request.socket.remoteAddress, onLoopback);
  const body = await readBody(request, maxBodyBytes);
  return route(routes, { method, target: url, headers, body }, { isLoopback: onLoopback, signal });
}

/** A reply without a body has no headers about it (RFC 9110 section 15.3.5). */
const NO_CONTENT = 204;

/** Writes a reply. A client that does not read it in time is disconnected. @param gone aborted when the client is gone */
async function write(
  { status, type, headers, body }: Reply,
  request: IncomingMessage,
  response: ServerResponse,
  { requestMs, failed }: Answering,
  gone: Abortable,
): Promise<void> {
  if (status === NO_CONTENT) {
    response.writeHead(status, headers).end();
    return;
  }
  response.writeHead(status, {
    'Content-Type': type,
    // The next request can have another reply.
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
    ...(typeof body === 'string' ? { 'Content-Length': Buffer.byteLength(body) } : encodingHeaders(request)),
  });
  const parts = request.method === 'HEAD' || typeof body === 'string' ? undefined : body;
  if (parts === undefined) {
    response.end(typeof body === 'string' ? body : undefined);
    // The kernel has taken the whole reply, as it mostly does.
    if (response.socket?.writableLength === 0) return;
  }
  const timer = setTimeout(() => {
    request.socket.destroy();
  }, requestMs);
  gone.addEventListener('abort', () => {
    clearTimeout(timer);
  });
  if (parts !== undefined) await stream(parts, request, response, gone).catch(failed);
}

function encodingHeaders({ headers }: IncomingMessage): Readonly<Record<string, string>> {
  const vary = { Vary: 'Accept-Encoding' };
  return acceptsGzip(headers['accept-encoding']) ? { ...vary, 'Content-Encoding': 'gzip' } : vary;
}

/** Writes the parts of a body as the client takes them. */
async function stream(
  body: AsyncIterable<string>,
  { headers }: IncomingMessage,
  response: ServerResponse,
  gone: Abortable,
): Promise<void> {
  const controller = new AbortController();
  const { signal } = controller;
  gone.addEventListener('abort', () => {
    controller.abort();
  });
  try {
    if (acceptsGzip(headers['accept-encoding'])) {
      await pipeline(body, createGzip({ level: constants.Z_BEST_SPEED }), response, { signal });
    } else {
      await pipeline(body, response, { signal });
    }
  } catch (error) {
    // The client has gone, or was too slow. Any other error is one of the body.
    if (systemCode(error) === undefined) throw error;
  }
}

/** Refuses what is no request: too large, too slow, or not HTTP. */
function refuseBroken(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'HPE_HEADER_OVERFLOW') endWith(socket, 431, `headers have at most ${LIMITS.headerBytes} bytes`);
  else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') endWith(socket, 408, 'the request took too long');
  else endWith(socket, 400, 'this is not a request of HTTP/1.1');
}

const REASONS: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  431: 'Request Header Fields Too Large',
};

/** Ends a connection that has no response object. */
function endWith(socket: Duplex, status: number, message: string, headers = ''): void {
  if (!socket.writable) {
    if (!socket.writableEnded) socket.destroy();
    return;
  }
  const body = `${message}\n`;
  socket.end(
    `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n${headers}Content-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
  );
  // A client that still sends would not see the text if the connection were closed at once.
  const timer = setTimeout(() => {
    socket.destroy();
  }, LIMITS.lookMs);
  socket.once('close', () => {
    clearTimeout(timer);
  });
}
