import type { ProcessMetrics } from '../../http/process-metrics.js';
import { HttpError, jsonReply, type Reply, textReply } from '../../http/reply.js';
import type { HttpRequest, Route } from '../../http/router.js';
import { inSlices } from '../../http/slices.js';
import type { Turns } from '../../timing/turns.js';
import { fieldsOf } from '../relay-report.js';
import type { RelayControl } from '../run.js';
import { replyWithMetrics } from './metrics.js';
import { PopulateError, Proxies } from './proxies.js';

/** Behind the version of the API stands the version of udpcat. */
const API_VERSION = '2.12.0+udpcat';

/** Writes an error as toxiproxy does. */
export function writeError(error: HttpError): Reply {
  const { status, message, headers } = error;
  const proxies = error instanceof PopulateError ? { proxies: error.proxies.map(({ fields }) => fields) } : {};
  return { ...jsonReply(status, { error: message, status, ...proxies }), headers };
}

const done = (): Reply => textReply(204, '');

/** Makes the paths of `relay --http`: the API of toxiproxy, metrics and sessions. */
export function routesOf(control: RelayControl, processMetrics: ProcessMetrics, turns: Turns): readonly Route[] {
  const proxies = new Proxies(control);
  const route = (
    method: Route['method'] | readonly Route['method'][],
    path: string,
    act: (names: { readonly proxy: string; readonly toxic: string }, request: HttpRequest) => Reply | Promise<Reply>,
  ): Route[] =>
    [method].flat().map((each) => ({
      method: each,
      path,
      reply: (request: HttpRequest) => {
        const { proxy = '', toxic = '' } = request.params;
        return act({ proxy, toxic }, request);
      },
    }));
  return [
    route('GET', '/proxies', () =>
      jsonReply(200, Object.fromEntries([...proxies].map(({ name, fields }) => [name, fields]))),
    ),
    route('POST', '/proxies', async (_, { body }) => jsonReply(201, (await proxies.add(body)).fields)),
    route('POST', '/populate', async (_, { body }) => {
      const populated = await proxies.populate(body);
      return jsonReply(201, { proxies: populated.map(({ fields }) => fields) });
    }),
    route('GET', '/proxies/:proxy', ({ proxy }) => jsonReply(200, proxies.get(proxy).fields)),
    route(['POST', 'PATCH'], '/proxies/:proxy', async ({ proxy }, { body }) =>
      jsonReply(200, (await proxies.update(proxy, body)).fields),
    ),
    route('DELETE', '/proxies/:proxy', async ({ proxy }) => {
      await proxies.remove(proxy);
      return done();
    }),
    route('GET', '/proxies/:proxy/toxics', ({ proxy }) => jsonReply(200, proxies.get(proxy).toxicFields)),
    route('POST', '/proxies/:proxy/toxics', ({ proxy }, { body }) =>
      jsonReply(200, proxies.addToxic(proxy, body).fields),
    ),
    route('GET', '/proxies/:proxy/toxics/:toxic', ({ proxy, toxic }) =>
      jsonReply(200, proxies.get(proxy).toxic(toxic).fields),
    ),
    route(['POST', 'PATCH'], '/proxies/:proxy/toxics/:toxic', ({ proxy, toxic }, { body }) =>
      jsonReply(200, proxies.updateToxic(proxy, toxic, body).fields),
    ),
    route('DELETE', '/proxies/:proxy/toxics/:toxic', ({ proxy, toxic }) => {
      proxies.removeToxic(proxy, toxic);
      return done();
    }),
    route('POST', '/reset', async () => {
      await proxies.reset();
      return done();
    }),
    route('GET', '/version', () => jsonReply(200, { version: `${API_VERSION}.${control.context.version}` })),
    route('GET', '/metrics', () => replyWithMetrics(control, turns, processMetrics)),
    route('GET', '/sessions', () => ({
      status: 200,
      type: 'application/json',
      body: inSlices(writeSessions(control), turns),
    })),
    route('DELETE', '/sessions/:session', (_, { params }) => {
      endSession(control, params.session ?? '');
      return done();
    }),
  ].flat();
}

/** Writes the sessions as a JSON array. */
function* writeSessions({ relays }: RelayControl): Generator<string> {
  let separator = '[\n';
  for (const [relay, account] of relays.accounts) {
    for (const session of account.relay?.sessions.table ?? []) {
      yield `${separator}${JSON.stringify({ relay, ...fieldsOf(session) })}`;
      separator = ',\n';
    }
  }
  yield separator === '[\n' ? '[]\n' : '\n]\n';
}

/** @throws {HttpError} 404 */
function endSession({ relays }: RelayControl, id: string): void {
  const number = /^\d+$/.test(id) ? Number(id) : 0;
  for (const { sessions } of relays.running) {
    const session = sessions.table.get(number);
    if (session === undefined) continue;
    sessions.end(session, 'deleted');
    return;
  }
  throw new HttpError(404, 'session not found');
}
