/** Requests with bodies, sent as bytes. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, test } from '@jest/globals';
import { parseHttpAddress } from '../../src/http/address.js';
import { Gate } from '../../src/http/gate.js';
import { jsonReply, textReply } from '../../src/http/reply.js';
import { type HttpOptions, type HttpServer, serveHttp } from '../../src/http/server.js';

function open(options: Partial<HttpOptions> = {}): Promise<HttpServer> {
  return serveHttp({
    listen: parseHttpAddress('127.0.0.1:0'),
    routes: () => [
      { method: 'POST', path: '/body', reply: ({ body }) => textReply(200, `got ${body}`) },
      { method: 'PATCH', path: '/:a/parts/:b', reply: ({ params }) => jsonReply(200, params) },
      { method: 'DELETE', path: '/body', reply: () => textReply(204, '') },
    ],
    maxBodyBytes: 10,
    failed: (error) => {
      throw error;
    },
    ...options,
  });
}

async function connectTo(server: HttpServer): Promise<Socket> {
  const socket = connect(server.local.port, server.local.address);
  socket.on('error', () => undefined);
  await once(socket, 'connect');
  return socket;
}

/** Sends bytes, and resolves to all that comes back until the server closes the connection. */
async function exchange(server: HttpServer, bytes: string): Promise<string> {
  const socket = await connectTo(server);
  socket.write(bytes);
  return text(socket);
}

const HEAD = 'HTTP/1.1\r\nHost: a\r\nConnection: close\r\n';

describe('a body', () => {
  test.each([
    ['with its length', `POST /body ${HEAD}Content-Length: 10\r\n\r\n0123456789`, 'got 0123456789'],
    ['in chunks', `POST /body ${HEAD}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`, 'got abcde'],
    ['of no bytes', `POST /body ${HEAD}Content-Length: 0\r\n\r\n`, 'got '],
    ['that is not there', `POST /body ${HEAD}\r\n`, 'got '],
    ['in UTF-8', `POST /body ${HEAD}Content-Length: 2\r\n\r\nä`, 'got ä'],
  ])('%s is read', async (_how, bytes, body) => {
    await using server = await open();
    const reply = await exchange(server, bytes);
    expect(reply.split('\r\n\r\n')[1]).toBe(body);
  });

  test('that waits is asked for', async () => {
    await using server = await open();
    const socket = await connectTo(server);
    socket.write(`POST /body ${HEAD}Content-Length: 3\r\nExpect: 100-continue\r\n\r\n`);
    const [first] = (await once(socket, 'data')) as [Buffer];
    expect(String(first)).toMatch(/^HTTP\/1\.1 100 Continue\r\n/);
    socket.write('abc');
    expect(await text(socket)).toMatch(/got abc$/);
  });

  test.each([
    ['that is too long', `POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\n\r\n`, 413],
    [
      'that is too long, in chunks',
      `POST /body HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n6\r\nabcdef\r\n5\r\nghijk\r\n`,
      413,
    ],
    [
      'that is too long, and waits',
      `POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\n`,
      413,
    ],
  ])('%s is refused before it has come', async (_how, bytes, status) => {
    await using server = await open();
    const reply = await exchange(server, bytes);
    expect(reply).toMatch(
      new RegExp(`^HTTP/1\\.1 ${status} [^]*\\r\\nConnection: close\\r\\n[^]*at most 10 bytes\\n$`),
    );
  });

  test('that is not UTF-8 is refused', async () => {
    await using server = await open();
    const socket = await connectTo(server);
    socket.write(Buffer.concat([Buffer.from(`POST /body ${HEAD}Content-Length: 1\r\n\r\n`), Buffer.from([0xff])]));
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 [^]*not UTF-8\n$/);
  });

  test('that comes slowly is given up', async () => {
    await using server = await open({ requestMs: 300 });
    const socket = await connectTo(server);
    socket.write('POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('that breaks off is no mistake', async () => {
    await using server = await open();
    const socket = await connectTo(server);
    socket.write('POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab');
    socket.destroy();
    await once(socket, 'close');
    expect(await exchange(server, `POST /body ${HEAD}\r\n`)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('of a stranger is not read', async () => {
    await using server = await open({ gate: new Gate({ token: 'secret', allow: undefined }) });
    const reply = await exchange(server, 'POST /body HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n');
    expect(reply).toMatch(/^HTTP\/1\.1 403 /);
    const reply401 = await exchange(server, 'POST /body HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\n\r\n');
    expect(reply401).toMatch(/^HTTP\/1\.1 401 [^]*\r\nWWW-Authenticate: Bearer /);
  });
});

test('parts of a path have names', async () => {
  await using server = await open();
  expect(await exchange(server, `PATCH /x%2Fy/parts/z ${HEAD}\r\n`)).toMatch(/\{"a":"x\/y","b":"z"\}\n$/);
  for (const path of ['//parts/z', '/x/parts/', '/x/parts', '/x/parts/y/z', '/x/other/z']) {
    expect(await exchange(server, `PATCH ${path} ${HEAD}\r\n`)).toMatch(/^HTTP\/1\.1 404 /);
  }
});

test('a reply without content has no headers about it', async () => {
  await using server = await open();
  const reply = await exchange(server, `DELETE /body ${HEAD}\r\n`);
  expect(reply).toMatch(/^HTTP\/1\.1 204 No Content\r\n/);
  expect(reply).not.toMatch(/Content-/);
});

test('refusals are written as the server wants them', async () => {
  await using server = await open({ refusal: ({ status, message }) => jsonReply(status, { message }) });
  expect(await exchange(server, `POST /nothing ${HEAD}\r\n`)).toMatch(/\{"message":"there is no such path"\}\n$/);
});

test('a server whose routes cannot be made is closed', async () => {
  const why = new Error('no routes');
  const listening = open({
    routes: () => {
      throw why;
    },
  });
  await expect(listening).rejects.toBe(why);
});
