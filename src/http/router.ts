import type { IncomingHttpHeaders } from 'node:http';
import { whyForeign } from './origin.js';
import { HttpError, type Reply } from './reply.js';

/** A request, as a route sees it. */
export interface HttpRequest {
  /** The end of the path, for a route that ends with `*`, decoded. Otherwise empty. */
  readonly rest: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Aborted when the client is gone, or the server ends. */
  readonly signal: AbortSignal;
}

/** One path of a server. */
export interface Route {
  /** `GET` takes HEAD as well. */
  readonly method: 'GET' | 'POST';
  /** `/health`, or with `*` at its end for every path that begins so: `/health/*`. */
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

/** Returns the end of the path if the route takes the path; otherwise undefined. */
function restOf({ path: pattern }: Route, path: string): string | undefined {
  if (!pattern.endsWith('*')) return path === pattern ? '' : undefined;
  const beginning = pattern.slice(0, -1);
  return path.startsWith(beginning) && path.length > beginning.length ? path.slice(beginning.length) : undefined;
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
  { method, target, headers }: RequestLine,
  { isLoopback, signal }: { readonly isLoopback: boolean; readonly signal: AbortSignal },
): Promise<Reply> {
  const [path, query] = splitTarget(target);
  const found = routes.filter((each) => restOf(each, path) !== undefined);
  if (found.length === 0) throw new HttpError(404, 'there is no such path');
  const chosen = found.find((each) => each.method === (method === 'HEAD' ? 'GET' : method));
  if (chosen === undefined) {
    const allow = found.map(methodsOf).join(', ');
    throw new HttpError(405, `this path accepts ${allow}`, { Allow: allow });
  }
  const why = chosen.guarded === true ? whyForeign(headers, isLoopback) : undefined;
  if (why !== undefined) throw new HttpError(403, why);
  const rest = decode(restOf(chosen, path) ?? '');
  return chosen.reply({ rest, query: new URLSearchParams(query), headers, signal });
}
