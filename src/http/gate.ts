import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { AccessList, type Cidr } from '../guard/access-list.js';
import { canonicalAddress } from '../net/address/literal.js';
import { whyForeign } from './origin.js';
import { HttpError } from './reply.js';

/** The clients that may ask a server. */
export interface GatePlan {
  /** Only requests with this token are answered. Default: it is not needed. */
  readonly token: string | undefined;
  /** Only these addresses get answers. Default: all do. */
  readonly allow: readonly Cidr[] | undefined;
}

/** Refuses requests of strangers and of web pages. */
export class Gate {
  readonly #token: Buffer | undefined;
  readonly #access: AccessList;

  constructor({ token, allow = [] }: GatePlan) {
    this.#token = token === undefined ? undefined : hash(token);
    this.#access = new AccessList(allow, []);
  }

  /**
   * @param address the address of the client; undefined if it has gone
   * @param isLoopback whether the server listens on the loopback only
   * @throws {HttpError} 401 without the right token, 403 for a web page and for a stranger
   */
  check(headers: IncomingHttpHeaders, address: string | undefined, isLoopback: boolean): void {
    if (
      !this.#access.open &&
      !(address !== undefined && this.#access.admits({ address: canonicalAddress(address), port: 0 }))
    ) {
      throw new HttpError(403, 'this address must not ask: it is not in --http-allow', CLOSE);
    }
    const why = whyForeign(headers, isLoopback) ?? whyBrowser(headers);
    if (why !== undefined) throw new HttpError(403, why, CLOSE);
    if (this.#token === undefined) return;
    const given = tokenOf(headers.authorization);
    // Equal times: the time to compare must not tell how much of a token is right.
    if (given !== undefined && timingSafeEqual(hash(given), this.#token)) return;
    throw new HttpError(401, 'the token of --http-token is needed', {
      ...CLOSE,
      'WWW-Authenticate': 'Bearer realm="udpcat", Basic realm="udpcat", charset="UTF-8"',
    });
  }
}

const CLOSE = { Connection: 'close' };

const hash = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Every browser names itself so. toxiproxy has the same rule. */
function whyBrowser({ 'user-agent': agent = '' }: IncomingHttpHeaders): string | undefined {
  return agent.startsWith('Mozilla/') ? 'a browser must not ask (User-Agent)' : undefined;
}

/** The token of `Bearer` (RFC 6750), or the password of `Basic` (RFC 7617). */
function tokenOf(authorization = ''): string | undefined {
  const [, scheme = '', value = ''] = /^(\S+) +(\S+) *$/.exec(authorization) ?? [];
  if (scheme.toLowerCase() === 'bearer') return value;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const [, password] = /^[^:]*:(.*)$/s.exec(Buffer.from(value, 'base64').toString()) ?? [];
  return password;
}
