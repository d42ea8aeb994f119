import type { IncomingHttpHeaders } from 'node:http';
import type { Abortable } from '../timing/once-signal.js';
import { whyForeign } from './origin.js';
import { HttpError, type Reply } from './reply.js';

/** A request, as a route sees it. */
export interface HttpRequest {
  /** The parts of the path that a route names by `:name`, decoded. The end that `*` stands for is `rest`. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Empty if the request has none. */
  readonly body: string;
  /** Aborted when the client is gone, or the server ends. */
  readonly signal: Abortable;
}

/** One path of a server. */
export interface Route {
  /** `GET` takes HEAD as well. */
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** `/health`; with `:name` for any one part: `/proxies/:proxy`; or with `*` for every path that begins so: `/health/*`. */
  readonly path: string;
  /** Whether requests that a web page of another site can make are refused. Default: false. */
  readonly guarded?: boolean;
  readonly reply: (request: HttpRequest) => Reply | Promise<Reply>;
}

/** The parts of a request that choose a route. */
export interface RequestLine {
  readonly method: string;
  /** The target: `/path?query`, or a whole URL, as proxies write it. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** Splits the target of a request into path and query. */
function splitTarget(target: string): readonly [path: string, query: string] {
  const relative = target.replace(/^https?:\/\/[^/?#]*/i, '');
  const [beforeFragment = ''] = relative.split('#', 1);
  const mark = beforeFragment.indexOf('?');
  return mark < 0 ? [beforeFragment, ''] : [beforeFragment.slice(0, mark), beforeFragment.slice(mark + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new HttpError(400, 'the path is not valid: % stands before two hexadecimal digits of UTF-8');
  }
}

/** Returns the named parts of the path, not decoded, if the route takes the path; otherwise undefined. */
function partsOf({ path: pattern }: Route, path: string): Record<string, string> | undefined {
  if (!/[:*]/.test(pattern)) return pattern === path ? {} : undefined;
  const wanted = pattern.split('/');
  const given = path.split('/');
  const params: Record<string, string> = {};
  if (wanted.at(-1) === '*') {
    wanted.pop();
    params.rest = given.splice(wanted.length).join('/');
    if (params.rest === '') return undefined;
  }
  if (given.length !== wanted.length) return undefined;
  for (const [index, part] of wanted.entries()) {
    const text = given[index] ?? '';
    if (part.startsWith(':') && text !== '') params[part.slice(1)] = text;
    else if (part !== text) return undefined;
  }
  return params;
}

const methodsOf = ({ method }: Route): string => (method === 'GET' ? 'GET, HEAD' : method);

/**
 * Finds the route of a request, and has it reply.
 *
 * @param isLoopback whether the server listens on the loopback only
 * @throws {HttpError} 400 for a request that is not valid, 403 for a page of another site, 404 for an unknown path, 405 for a
 * method that the path does not have
 */
export async function route(
  routes: readonly Route[],
  { method, target, headers, body }: RequestLine,
  { isLoopback, signal }: { readonly isLoopback: boolean; readonly signal: Abortable },
): Promise<Reply> {
  const [path, query] = splitTarget(target);
  const found = routes.filter((each) => partsOf(each, path) !== undefined);
  if (found.length === 0) throw new HttpError(404, 'there is no such path');
  const chosen = found.find((each) => each.method === (method === 'HEAD' ? 'GET' : method));
  if (chosen === undefined) {
    const allow = found.map(methodsOf).join(', ');
    throw new HttpError(405, `this path accepts ${allow}`, { Allow: allow });
  }
  const why = chosen.guarded === true ? whyForeign(headers, isLoopback) : undefined;
  if (why !== undefined) throw new HttpError(403, why);
  const parts = Object.entries(partsOf(chosen, path) ?? {});
  const params = Object.fromEntries(parts.map(([name, text]) => [name, decode(text)]));
  return chosen.reply({ params, query: new URLSearchParams(query), headers, body, signal });
}
