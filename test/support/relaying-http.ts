/** A run of `udpcat relay --http` in the process of the test. */
import { EventEmitter, once } from 'node:events';
import type { Ending } from '../../src/run/context.js';
import { runCommandLine } from '../../src/commands/program.js';
import { openIo } from './in-process.js';
import { type JsonLine, jsonLines } from './service.js';
import { ask, type AskOptions } from './watching-http.js';

/** The reply of the API. */
export interface ApiReply<Json> {
  readonly status: number;
  /** The JSON of the body; undefined if it is empty. */
  readonly json: Json;
}

/** A toxic, as the API has it. */
export interface ToxicJson {
  readonly name: string;
  readonly attributes: object;
}

/** A proxy, as the API has it. */
export interface ProxyJson {
  readonly name: string;
  readonly listen: string;
  readonly toxics: readonly ToxicJson[];
}

/** The counts of one way of a session. */
export interface WayJson {
  readonly received: number;
  readonly lost: Readonly<Record<string, number>>;
}

/** A session, as the API has it. */
export interface SessionJson {
  readonly session: number;
  readonly up: WayJson;
}

/** A run with a server of HTTP. Disposal ends it by SIGTERM. */
export interface RelayRun extends AsyncDisposable {
  /** The address of HTTP: `127.0.0.1:8474`. */
  readonly http: string;
  /** The address of the relay of the command line. */
  readonly address: string;
  /** Asks the API. A body is sent as JSON, a text as it is. */
  api<Json = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: AskOptions['headers'],
  ): Promise<ApiReply<Json>>;
  /** Waits for an event on stdout that matches. */
  event(type: string, fields?: Readonly<Record<string, unknown>>): Promise<JsonLine>;
  /** The events of a type so far. */
  events(type: string): readonly JsonLine[];
  /** Ends the run, and resolves to what it wrote. */
  end(): Promise<{ readonly ending: Ending; readonly stderr: string; readonly lines: readonly JsonLine[] }>;
}

/** Options of {@link startRelayRun}. */
export interface RelayRunOptions {
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `udpcat relay ARGS -o json`, with `--http` on a free port of the loopback unless `args` has it. */
export async function startRelayRun(args: readonly string[], { env = {} }: RelayRunOptions = {}): Promise<RelayRun> {
  const stop = new AbortController();
  const told = new EventEmitter();
  told.setMaxListeners(0);
  const line = ['relay', ...args, ...(args.includes('--http') ? [] : ['--http', '127.0.0.1:0']), '-o', 'json'];
  const kept = openIo({ stop: stop.signal, onStderr: () => told.emit('wrote') }, line);
  const { stdout, stderr } = kept;
  const io = { ...kept.io, env: { ...kept.io.env, ...env } };
  const write = stdout._write.bind(stdout);
  stdout._write = (chunk: Buffer, encoding, done) => {
    write(chunk, encoding, done);
    told.emit('wrote');
  };
  let ended = false;
  const ending = runCommandLine(line, io).finally(() => {
    ended = true;
    told.emit('wrote');
  });
  const found = async <Found>(find: () => Found | undefined): Promise<Found> => {
    while (true) {
      const one = find();
      if (one !== undefined) return one;
      if (ended) throw new Error(`the run ended: ${stderr.text}${stdout.text}`);
      await once(told, 'wrote');
    }
  };
  const lines = (): readonly JsonLine[] => jsonLines(stdout.text.slice(0, stdout.text.lastIndexOf('\n') + 1));
  const [, http = ''] = await found(() => /http on (\S+)\n/.exec(stderr.text) ?? undefined);
  const [, address = ''] = /listening on (\S+)\n/.exec(stderr.text) ?? [];
  const end = async () => {
    stop.abort('SIGTERM');
    return { ending: await ending, stderr: stderr.text, lines: jsonLines(stdout.text) };
  };
  return {
    http,
    address,
    api: async (method, path, body, headers = {}) => {
      const sent = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      const { status, text } = await ask(http, path, { method, headers, ...(sent !== undefined && { body: sent }) });
      return { status, json: (text === '' ? undefined : JSON.parse(text)) as never };
    },
    event: (type, fields = {}) =>
      found(() =>
        lines().find(
          (each) => each.type === type && Object.entries(fields).every(([name, value]) => each[name] === value),
        ),
      ),
    events: (type) => lines().filter((each) => each.type === type),
    end,
    [Symbol.asyncDispose]: async () => {
      await end();
    },
  };
}
