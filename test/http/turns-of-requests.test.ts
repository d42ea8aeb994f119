import { expect, test } from '@jest/globals';
import { parseHttpAddress } from '../../src/http/address.js';
import { HttpError, textReply } from '../../src/http/reply.js';
import { serveHttp } from '../../src/http/server.js';
import { Rounds } from '../support/event-loop.js';

test('the event loop turns between two requests, however many come at a time, and whether they are refused', async () => {
  using loop = new Rounds();
  const rounds: number[] = [];
  await using server = await serveHttp({
    listen: parseHttpAddress('127.0.0.1:0'),
    routes: () => [
      {
        method: 'GET',
        path: '/',
        reply: () => {
          rounds.push(loop.count);
          return textReply(200, '');
        },
      },
      {
        method: 'GET',
        path: '/refused',
        reply: () => {
          rounds.push(loop.count);
          throw new HttpError(403, 'no');
        },
      },
    ],
    failed: (error) => {
      throw error;
    },
  });
  const { address, port } = server.local;
  const ask = (path: string): Promise<number> => fetch(`http://${address}:${port}${path}`).then(({ status }) => status);
  const statuses = await Promise.all(Array.from({ length: 40 }, (_, nth) => ask(nth % 2 === 0 ? '/' : '/refused')));
  expect(new Set(statuses)).toEqual(new Set([200, 403]));
  expect(new Set(rounds).size).toBe(40);
});
