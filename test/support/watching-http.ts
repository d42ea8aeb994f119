/** A run of `udpcat watch --http` in the process of the test. */
import { EventEmitter, once } from 'node:events';
import { type IncomingMessage, request as httpRequest } from 'node:http';
import type { Ending } from '../../src/run/context.js';
import { runCommandLine } from '../../src/commands/program.js';
import { openIo } from './in-process.js';
import { hostAndPort } from './sockets.js';

/** A reply, as a client sees it. */
export interface HttpReply {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly body: Buffer;
  readonly text: string;
}

/** Options of {@link ask}. */
export interface AskOptions {
  /** Default: GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Default: none. */
  readonly body?: string;
}

/** Asks a server of HTTP once. @param base the address, for example `127.0.0.1:9000` */
export async function ask(
  base: string,
  path: string,
  { method = 'GET', headers = {}, body: sent }: AskOptions = {},
): Promise<HttpReply> {
  const request = httpRequest({ ...hostAndPort(base), path, method, headers, agent: false }).end(sent);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const body = Buffer.concat(chunks);
  return { status: response.statusCode ?? 0, headers: response.headers, body, text: body.toString() };
}

/** A run that listens. Disposal ends it by SIGTERM. */
export interface WatchRun extends AsyncDisposable {
  /** The address of HTTP. */
  readonly base: string;
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<HttpReply>;
  post(path: string, headers?: Readonly<Record<string, string>>): Promise<HttpReply>;
  /** Waits until stdout matches. Lines are those of `-o json`. */
  until(pattern: RegExp): Promise<void>;
  /** Sends SIGHUP. */
  hangUp(): void;
  /** Ends the run, and resolves to what it wrote. */
  end(): Promise<{ readonly ending: Ending; readonly stdout: string; readonly stderr: string }>;
}

/** Starts `udpcat watch ARGS -o json`, with `--http` on a free port of the loopback unless `args` or a file has it. */
export async function startWatch(args: readonly string[]): Promise<WatchRun> {
  const stop = new AbortController();
  const told = new EventEmitter();
  told.setMaxListeners(0);
  const http = args.includes('--http') || args.includes('--config') ? [] : ['--http', '127.0.0.1:0'];
  const line = ['watch', ...args, ...http, '-o', 'json'];
  const { io, stdout, stderr } = openIo({ stop: stop.signal, onStderr: () => told.emit('wrote') }, line);
  const write = stdout._write.bind(stdout);
  stdout._write = (chunk: Buffer, encoding, done) => {
    write(chunk, encoding, done);
    told.emit('wrote');
  };
  let reload = (): void => undefined;
  io.onReload = (listener) => {
    reload = listener;
    return () => undefined;
  };
  let ended = false;
  const ending = runCommandLine(line, io).finally(() => {
    ended = true;
    told.emit('wrote');
  });
  const found = async (read: () => string, pattern: RegExp): Promise<RegExpExecArray> => {
    while (true) {
      const match = pattern.exec(read());
      if (match !== null) return match;
      if (ended) throw new Error(`the run ended without ${String(pattern)}: ${stderr.text}${stdout.text}`);
      await once(told, 'wrote');
    }
  };
  const [, base = ''] = await found(() => stderr.text, /listening on (\S+)\n/);
  const end = async () => {
    stop.abort('SIGTERM');
    return { ending: await ending, stdout: stdout.text, stderr: stderr.text };
  };
  return {
    base,
    get: (path, headers = {}) => ask(base, path, { headers }),
    post: (path, headers = {}) => ask(base, path, { method: 'POST', headers }),
    until: async (pattern) => {
      await found(() => stdout.text, pattern);
    },
    hangUp: () => {
      reload();
    },
    end,
    [Symbol.asyncDispose]: async () => {
      await end();
    },
  };
}
