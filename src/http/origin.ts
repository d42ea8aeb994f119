import { isIP } from 'node:net';

/** The headers that tell where a request comes from. */
export interface OriginHeaders {
  readonly origin?: string | undefined;
  readonly host?: string | undefined;
  readonly 'sec-fetch-site'?: string | string[] | undefined;
}

/**
 * Decides whether a request may come from a web page that some other site wrote. Browsers send such requests without asking
 * the user.
 *
 * - Browsers add `Origin` to requests of scripts and forms, and `Sec-Fetch-Site` to all requests (Fetch Metadata).
 * - A name of another site can be made to resolve to this host ("DNS rebinding"). Then `Host` has that name.
 *
 * @param isLoopback whether the server listens on the loopback only
 * @returns why the request is refused; undefined if no page of another site can have made it
 */
export function whyForeign(headers: OriginHeaders, isLoopback: boolean): string | undefined {
  const { origin, host } = headers;
  if (origin !== undefined) return 'a web page must not ask for this (Origin)';
  const site = headers['sec-fetch-site'];
  if (site !== undefined && site !== 'none' && site !== 'same-origin') {
    return 'a page of another site must not ask for this (Sec-Fetch-Site)';
  }
  if (isLoopback && host !== undefined && !isOwnHost(host)) {
    return 'ask by an address or by localhost: the header Host has another name';
  }
  return undefined;
}

/** Whether the header `Host` has an address, or `localhost`. */
function isOwnHost(host: string): boolean {
  const [, inBrackets, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::\d*)?$/.exec(host) ?? [];
  if (inBrackets !== undefined) return isIP(inBrackets) === 6;
  return plain !== undefined && (isIP(plain) === 4 || plain.toLowerCase() === 'localhost');
}
