/** Who may drive a relay, and what clients of HTTP cannot do to datagrams. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { openUdpConnection } from '../../../src/net/index.js';
import { runInProcess } from '../../support/in-process.js';
import { startRelayRun } from '../../support/relaying-http.js';
import { echoServer } from '../../support/sockets.js';
import { hostAndPort } from '../../support/sockets.js';
import { ask } from '../../support/watching-http.js';

test.each<[readonly string[], string]>([
  [['--http', ':0'], "option '--http': beyond the loopback everybody could change relays: add --http-token"],
  [['--http', '192.0.2.1:0'], "option '--http': beyond the loopback"],
  [
    ['--http', '0', '--http-open', '--http-allow', '192.0.2.0/24'],
    "options '--http-open' and '--http-allow' contradict",
  ],
  [['--http', '0', '--http-open', '--http-token', 'env:PATH'], "options '--http-open' and '--http-token' contradict"],
  [['--http', '0', '--http-token', 'env:NO_SUCH_VARIABLE'], 'NO_SUCH_VARIABLE, which is not set'],
  [['--http', '0', '--http-token', 'secret'], 'env:NAME'],
  [['--http', '0', '--http-allow', 'x'], "option '--http-allow <cidr>'"],
  [['--http', '0', '--count', '1'], "options '--http' and '--count' cannot be used together"],
  [['--http', '0', '1'], 'two addresses are what the command takes'],
  [['--http', 'udp://127.0.0.1:0'], 'HTTP is served over TCP'],
  [['1', '2', '--http-open'], "option '--http-open' is about the server of --http: add --http"],
  [['1', '2', '--http-allow', '::1'], "option '--http-allow' is about the server of --http"],
  [['1', '2', '--http-token', 'env:PATH'], "option '--http-token' is about the server of --http"],
  [['--http', '0', '--name', ''], 'A name must not be empty'],
])('relay %j is wrong usage', async (args, message) => {
  const { ending, stderr } = await runInProcess(['relay', ...args]);
  expect(stderr).toContain(message);
  expect(ending).toBe(2);
});

test('pages and browsers are refused on every path', async () => {
  await using run = await startRelayRun([]);
  const foreign: Record<string, string>[] = [
    { Origin: 'null' },
    { 'Sec-Fetch-Site': 'cross-site' },
    { 'User-Agent': 'Mozilla/5.0' },
    { Host: 'evil.example' },
  ];
  for (const headers of foreign) {
    for (const [method, path] of [
      ['POST', '/proxies'],
      ['GET', '/proxies'],
      ['POST', '/reset'],
      ['GET', '/metrics'],
      ['GET', '/sessions'],
      ['GET', '/nothing'],
    ] as const) {
      expect(await run.api(method, path, undefined, headers)).toMatchObject({ status: 403, json: { status: 403 } });
    }
  }
});

test.each(['*:0', '[::1]:0'])('at %s a token opens the API', async (http) => {
  await using run = await startRelayRun(['--http', http, '--http-token', 'env:TOKEN'], { env: { TOKEN: 'secret' } });
  const base = http === '*:0' ? `127.0.0.1:${hostAndPort(run.http).port}` : run.http;
  const { status, headers } = await ask(base, '/version');
  expect(status).toBe(401);
  expect(headers['www-authenticate']).toMatch(/Bearer.*Basic/);
  expect((await ask(base, '/version', { headers: { Authorization: 'Bearer wrong' } })).status).toBe(401);
  expect((await ask(base, '/version', { headers: { Authorization: 'Bearer secret' } })).status).toBe(200);
});

test('networks and --http-open admit clients beyond the loopback address', async () => {
  for (const [options, status] of [
    [['--http-allow', '127.0.0.0/8'], 200],
    [['--http-allow', '192.0.2.0/24'], 403],
    [['--http-open'], 200],
  ] as const) {
    await using run = await startRelayRun(['--http', '*:0', ...options]);
    expect((await ask(`127.0.0.1:${hostAndPort(run.http).port}`, '/version')).status).toBe(status);
  }
});

test('slow clients and floods of requests cost no datagram', async () => {
  await using server = await echoServer();
  await using run = await startRelayRun(['127.0.0.1:0', server.address]);
  const { host, port } = hostAndPort(run.http);
  const sockets = await Promise.all(
    Array.from({ length: 100 }, async (_, nth) => {
      const socket = connect(port, host);
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      // Half of them send half a request, the others many.
      socket.write(nth % 2 === 0 ? 'POST /proxies HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{' : '');
      if (nth % 2 === 1) socket.write('GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(100));
      socket.pause();
      return socket;
    }),
  );
  await using client = await openUdpConnection(run.address);
  for (let nth = 0; nth < 200; nth += 1) {
    await client.send(`${nth}`);
    expect(Buffer.from(await client.recv()).toString()).toBe(`${nth}`);
  }
  for (const socket of sockets) socket.destroy();
  const { ending, lines } = await run.end();
  expect(ending).toBe(0);
  expect(lines.at(-1)).toMatchObject({ up: { received: 200, sent: 200 }, dropped: { queue: 0 } });
});
