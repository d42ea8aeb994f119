/** A server of HTTP with a small table of routes, asked by real clients and by bytes. */
import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from '@jest/globals';
import { parseHttpAddress } from '../../src/http/address.js';
import { HttpError, textReply } from '../../src/http/reply.js';
import type { Route } from '../../src/http/router.js';
import { type HttpServer, LIMITS, serveHttp } from '../../src/http/server.js';

/** Never ends before it is told to. */
async function* endless(ended: () => void): AsyncGenerator<string> {
  try {
    while (true) {
      yield 'x'.repeat(100_000);
      await new Promise((resolve) => setImmediate(resolve));
    }
  } finally {
    ended();
  }
}

/** Calls of the routes that the tests wait for. */
interface Calls {
  aborted: () => void;
  ended: () => void;
  failed: (error: unknown) => void;
}

function routesFor(calls: Calls): readonly Route[] {
  return [
    {
      method: 'GET',
      path: '/text',
      reply: ({ query }) => textReply(200, `asked for ${query.get('what') ?? 'nothing'}`),
    },
    { method: 'GET', path: '/named/*', reply: ({ params }) => textReply(200, params.rest ?? '') },
    { method: 'POST', path: '/act', guarded: true, reply: () => textReply(200, 'done') },
    { method: 'GET', path: '/act', reply: () => textReply(200, 'look') },
    {
      method: 'GET',
      path: '/parts',
      reply: () => ({
        status: 200,
        type: 'text/plain',
        body: (async function* () {
          for (let part = 0; part < 1000; part += 1) yield `part ${part}\n`;
        })(),
      }),
    },
    { method: 'GET', path: '/endless', reply: () => ({ status: 200, type: 'text/plain', body: endless(calls.ended) }) },
    {
      method: 'GET',
      path: '/never',
      reply: ({ signal }) =>
        new Promise((_, reject) => {
          signal.addEventListener('abort', () => {
            calls.aborted();
            reject(new HttpError(503, 'given up'));
          });
        }),
    },
    {
      method: 'GET',
      path: '/mistake',
      reply: () => {
        throw new TypeError('a mistake');
      },
    },
  ];
}

async function open(
  options: { readonly requestMs?: number; readonly listen?: string; readonly calls?: Partial<Calls> } = {},
) {
  const calls: Calls = {
    aborted: () => undefined,
    ended: () => undefined,
    failed: (error) => {
      throw error;
    },
    ...options.calls,
  };
  return serveHttp({
    listen: parseHttpAddress(options.listen ?? '127.0.0.1:0'),
    routes: () => routesFor(calls),
    ...(options.requestMs !== undefined && { requestMs: options.requestMs }),
    failed: (error) => calls.failed(error),
  });
}

interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
}

/** Asks once, over a connection of its own. */
async function ask(
  server: HttpServer,
  path: string,
  { method = 'GET', headers = {} }: { readonly method?: string; readonly headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { address: host, port } = server.local;
  const request = httpRequest({ host, port, path, method, headers, agent: false }).end();
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

async function connectTo(server: HttpServer): Promise<Socket> {
  const socket = connect(server.local.port, server.local.address);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Sends bytes, and resolves to all that comes back until the server closes the connection. */
async function sendBytes(server: HttpServer, bytes: string): Promise<string> {
  const socket = await connectTo(server);
  socket.write(bytes);
  return text(socket).catch(() => '');
}

/** The status line and the body of a response that came as text. */
function parts(response: string): readonly [string, string] {
  const [head = '', body = ''] = response.split('\r\n\r\n');
  return [head.split('\r\n')[0] ?? '', body];
}

describe('a server of HTTP answers', () => {
  test.each(['127.0.0.1:0', '[::1]:0', '*:0', '0', 'localhost:0'])('at %s', async (listen) => {
    await using server = await open({ listen });
    expect(server.local.port).toBeGreaterThan(0);
    const { status, body } = await ask(server, '/text?what=a%20b&more=1');
    expect([status, String(body)]).toEqual([200, 'asked for a b']);
  });

  test('GET and HEAD, and names of any characters', async () => {
    await using server = await open();
    expect(String((await ask(server, '/named/a%2Fb%20%C3%A4/c?x')).body)).toBe('a/b ä/c');
    const head = await ask(server, '/text', { method: 'HEAD' });
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([200, '17', 0]);
    expect((await ask(server, '/parts', { method: 'HEAD' })).body).toHaveLength(0);
    expect(String((await ask(server, `http://other.example/text`)).body)).toBe('asked for nothing');
  });

  test('with headers that keep browsers from guessing and keeping', async () => {
    await using server = await open();
    const { headers } = await ask(server, '/text');
    expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' });
    expect(headers['access-control-allow-origin']).toBeUndefined();
  });

  test.each([
    ['/nothing', 'GET', 404, undefined],
    ['/', 'GET', 404, undefined],
    ['/named/', 'GET', 404, undefined],
    ['/named/..%2f..', 'GET', 200, undefined],
    ['/text', 'POST', 405, 'GET, HEAD'],
    ['/text', 'DELETE', 405, 'GET, HEAD'],
    ['/text', 'OPTIONS', 405, 'GET, HEAD'],
    ['/act', 'PUT', 405, 'POST, GET, HEAD'],
    ['/named/%zz', 'GET', 400, undefined],
    ['/named/%ff', 'GET', 400, undefined],
  ])('%s by %s: %i', async (path, method, status, allow) => {
    await using server = await open();
    const answer = await ask(server, path, { method });
    expect([answer.status, answer.headers.allow]).toEqual([status, allow]);
    if (status !== 200) expect(String(answer.body)).toMatch(/^[^\n]+\n$/);
  });

  test('parts as they are made, compressed where the client accepts it', async () => {
    await using server = await open();
    const plain = await ask(server, '/parts');
    const zipped = await ask(server, '/parts', { headers: { 'Accept-Encoding': 'br, gzip;q=0.5' } });
    const refused = await ask(server, '/parts', { headers: { 'Accept-Encoding': 'gzip;q=0, identity' } });
    expect(plain.headers['content-encoding']).toBeUndefined();
    expect(zipped.headers).toMatchObject({ 'content-encoding': 'gzip', vary: 'Accept-Encoding' });
    expect(zipped.body.length).toBeLessThan(plain.body.length);
    expect(gunzipSync(zipped.body)).toEqual(plain.body);
    expect(refused.body).toEqual(plain.body);
    expect(String(plain.body)).toMatch(/^part 0\n[^]*part 999\n$/);
  });
});

describe('a server of HTTP refuses', () => {
  test.each([
    ['a body', 'POST /act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\nabc', 400],
    [
      'a body in chunks',
      'POST /act HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n',
      400,
    ],
    [
      'a body that waits',
      'POST /act HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n',
      400,
    ],
    ['a request without Host', 'GET /text HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
    ['another protocol', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n', 400],
    [
      'a second request smuggled by two lengths',
      'GET /text HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\n',
      400,
    ],
    ['too many bytes of headers', `GET /text HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(LIMITS.headerBytes)}\r\n\r\n`, 431],
    ['a target that is too long', `GET /${'x'.repeat(LIMITS.headerBytes)} HTTP/1.1\r\nHost: a\r\n\r\n`, 431],
    ['to be a proxy', 'CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n', 405],
  ])('%s, with one line', async (_name, bytes, status) => {
    await using server = await open();
    const [line, body] = parts(await sendBytes(server, bytes));
    expect(line).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(body).toMatch(/^[^\n]+\n$/);
    expect((await ask(server, '/text')).status).toBe(200);
  });

  test('no request of HTTP/1.0 without Host, as load balancers send it', async () => {
    await using server = await open();
    expect(parts(await sendBytes(server, 'GET /text HTTP/1.0\r\n\r\n'))).toEqual([
      'HTTP/1.1 200 OK',
      'asked for nothing',
    ]);
  });

  test('guarded paths to a page of another site', async () => {
    await using server = await open();
    const post = (headers: Record<string, string>) => ask(server, '/act', { method: 'POST', headers });
    expect((await post({})).status).toBe(200);
    const foreign: Record<string, string>[] = [
      { Origin: 'null' },
      { 'Sec-Fetch-Site': 'cross-site' },
      { Host: 'evil.example' },
    ];
    for (const headers of foreign) {
      const { status, body } = await post(headers);
      expect([status, String(body)]).toEqual([403, expect.stringMatching(/^[^\n]+\n$/)]);
    }
    // The others are for all who can connect.
    expect((await ask(server, '/act', { headers: { Host: 'evil.example' } })).status).toBe(200);
  });

  test('a mistake of a route with 500, and goes on', async () => {
    const failures: unknown[] = [];
    await using server = await open({ calls: { failed: (error) => failures.push(error) } });
    expect((await ask(server, '/mistake')).status).toBe(500);
    expect(failures).toEqual([new TypeError('a mistake')]);
    expect((await ask(server, '/text')).status).toBe(200);
  });

  test('an address that is taken', async () => {
    await using server = await open();
    await expect(open({ listen: `127.0.0.1:${server.local.port}` })).rejects.toThrow(
      `cannot listen on 127.0.0.1:${server.local.port} (TCP): the port is in use (EADDRINUSE); choose another port`,
    );
  });
});

describe('a server of HTTP has bounds', () => {
  test('in time for a request that comes slowly', async () => {
    await using server = await open({ requestMs: 300 });
    for (const bytes of ['', 'GET /te', 'GET /text HTTP/1.1\r\nHost: local']) {
      const socket = await connectTo(server);
      if (bytes !== '') socket.write(bytes);
      expect(parts(await text(socket))[0]).toBe('HTTP/1.1 408 Request Timeout');
    }
  });

  test('in time for a client that does not read', async () => {
    const told = new EventEmitter();
    const ended = once(told, 'ended');
    await using server = await open({ requestMs: 300, calls: { ended: () => told.emit('ended') } });
    const socket = await connectTo(server);
    socket.pause();
    socket.write('GET /endless HTTP/1.1\r\nHost: a\r\n\r\n');
    await ended;
  });

  test('in connections; idle ones make room', async () => {
    await using server = await open();
    const idle = await Promise.all(
      Array.from({ length: LIMITS.connections }, async () => {
        const socket = await connectTo(server);
        socket.write('GET /text HTTP/1.1\r\nHost: a\r\n\r\n');
        await once(socket, 'data');
        return { socket, closed: once(socket, 'close') };
      }),
    );
    // One more than there may be: it is closed, and so are those that ask nothing.
    expect(await sendBytes(server, '')).toBe('');
    await Promise.all(idle.map(({ closed }) => closed));
    expect((await ask(server, '/text')).status).toBe(200);
  });

  test('in connections that ask: one more gets nothing', async () => {
    await using server = await open();
    const busy = await Promise.all(Array.from({ length: LIMITS.connections }, () => connectTo(server)));
    for (const socket of busy) socket.write('GET /text HTTP/1.1\r\nHost:');
    expect(await sendBytes(server, 'GET /text HTTP/1.1\r\nHost: a\r\n\r\n')).toBe('');
    const closed = once(busy[0]!, 'close');
    busy[0]!.write(' a\r\nConnection: close\r\n\r\n');
    busy[0]!.resume();
    await closed;
    expect((await ask(server, '/text')).status).toBe(200);
    for (const socket of busy) socket.destroy();
  });

  test('in requests of a connection that wait for replies', async () => {
    const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
    let aborted = 0;
    await using server = await open({ calls: { aborted: () => (aborted += 1) } });
    const socket = await connectTo(server);
    socket.write(request('/text?what=one') + request('/text?what=two'));
    let received = '';
    while (!/one[^]*two/.test(received)) received += String((await once(socket, 'data'))[0]);
    socket.destroy();
    expect(await sendBytes(server, request('/never').repeat(100))).toBe('');
    expect((await ask(server, '/text')).status).toBe(200);
    // The connection may close before the turn of a request: then no route gets it.
    expect(aborted).toBeLessThanOrEqual(LIMITS.pipelined);
  });

  test('which end: it closes with clients that wait, and tells the routes', async () => {
    let aborted = false;
    const server = await open({ calls: { aborted: () => (aborted = true) } });
    const [waiting, silent] = [await connectTo(server), await connectTo(server)];
    waiting.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    await ask(server, '/text');
    await server[Symbol.asyncDispose]();
    for (const socket of [waiting, silent]) if (!socket.closed) await once(socket.resume(), 'close');
    expect(aborted).toBe(true);
  });

  test('for a client that leaves: its route is told', async () => {
    const told = new EventEmitter();
    await using server = await open({ calls: { aborted: () => told.emit('aborted') } });
    const socket = await connectTo(server);
    socket.write('GET /never HTTP/1.1\r\nHost: a\r\n\r\n');
    await ask(server, '/text');
    const aborted = once(told, 'aborted');
    socket.destroy();
    await aborted;
  });
});
