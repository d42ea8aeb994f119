import { networkInterfaces } from 'node:os';
import { isLoopback } from '../net/address/endpoint.js';
import type { Datagram, Endpoint, Outgoing, Run } from '../net/index.js';
import { asRun, cutRuns } from '../net/runs.js';
import { CorruptionGuard } from './corruption-guard.js';
import { LoopGuard } from './loop-guard.js';
import { RateLimit } from './rate-limit.js';
import { ReturnGuard } from './return-guard.js';
import { FIRST_USER_PORT } from './limits.js';

/** Options of {@link ResponsePolicy}. */
export interface ResponsePolicyOptions {
  /** The server's own address. It never gets a response. */
  readonly local: Endpoint;
  /** Whether a peer gets at most 100 responses a second to identical datagrams. */
  readonly loopGuard: boolean;
  /** Whether source ports below 1024 get responses. Services have such ports, and may respond to a response. */
  readonly servicePorts: boolean;
  /** The maximum number of responses a second for each peer. Undefined or Infinity: no limit. */
  readonly ratePerSecond?: number | undefined;
  /**
   * How many peers, and how many datagrams, the guards keep in memory. The minimum is
   * {@link MIN_REMEMBERED}; a smaller number is raised to it. Default: 65536.
   */
  readonly maxPeers?: number | undefined;
  /**
   * Set if the server corrupts responses on purpose, and calls {@link ResponsePolicy.corrupted} for each. It is called with a
   * peer whose traffic looks like a loop, and which gets no response for a second. Undefined: no response is corrupted.
   */
  readonly onCorruptedLoop?: ((peer: Endpoint) => void) | undefined;
  /**
   * Set if each response can differ from all before it, for example by a counter. It is called with a peer that sends one
   * response after another back. Datagrams that such a peer sends back get no response for a second. Undefined: equal requests
   * get equal responses.
   */
  readonly onReturnLoop?: ((peer: Endpoint) => void) | undefined;
}

/** The fewest peers that a guard remembers. With fewer it would forget each peer before the peer's next datagram. */
const MIN_REMEMBERED = 1024;

/** The addresses of this host can change: after this time they are read again. */
const ADDRESSES_KEPT_MS = 5000;

/**
 * Decides which requests get a response, so that nobody can use the server as a weapon against others. Counts the requests
 * that get none.
 */
export class ResponsePolicy {
  readonly #options: ResponsePolicyOptions;
  readonly #loopGuard: LoopGuard | undefined;
  readonly #rateLimit: RateLimit | undefined;
  readonly #corruptionGuard: CorruptionGuard | undefined;
  readonly #returnGuard: ReturnGuard | undefined;
  #ownAddresses: ReadonlySet<string> = new Set();
  #ownAddressesMs = -Infinity;
  #declined = 0;

  constructor(options: ResponsePolicyOptions) {
    this.#options = options;
    const { loopGuard, ratePerSecond, onCorruptedLoop, onReturnLoop } = options;
    const maxRemembered = options.maxPeers && Math.max(options.maxPeers, MIN_REMEMBERED);
    // The return guard asks the loop guard which datagrams came: then all of them are remembered whole.
    this.#loopGuard = loopGuard ? new LoopGuard(maxRemembered, onReturnLoop && Infinity) : undefined;
    this.#corruptionGuard =
      loopGuard && onCorruptedLoop !== undefined ? new CorruptionGuard(onCorruptedLoop, maxRemembered) : undefined;
    this.#returnGuard =
      this.#loopGuard && onReturnLoop && new ReturnGuard(this.#loopGuard, onReturnLoop, maxRemembered);
    this.#rateLimit =
      ratePerSecond === undefined || ratePerSecond === Infinity
        ? undefined
        : new RateLimit(ratePerSecond, maxRemembered);
  }

  /** How many requests were declined: by this policy, or by {@link decline}. */
  get declined(): number {
    return this.#declined;
  }

  /** Counts a request that this policy permitted, and that gets no response for another reason. */
  decline(): void {
    this.#declined += 1;
  }

  /** Whether a request may get a response now. The call counts against the limits of its peer. */
  permits(request: Datagram): boolean {
    const permitted = this.#decide(request, performance.now());
    if (!permitted) this.#declined += 1;
    return permitted;
  }

  /** Returns the requests of a run that may get a response, in order: those that stand together as one run. */
  permitted(run: Run): readonly Run[] {
    const { count, remote } = run;
    if (count === 1 || this.#rateLimit || this.#corruptionGuard || this.#returnGuard) {
      return cutRuns([run])
        .filter((request) => this.permits(request))
        .map(asRun);
    }
    const nowMs = performance.now();
    if (!this.#permitsPeer(remote, nowMs)) {
      this.#declined += count;
      return [];
    }
    const declined = this.#loopGuard?.declinedOf(run, nowMs) ?? [];
    if (declined.length === 0) return [run];
    this.#declined += declined.length;
    return piecesBetween(declined, run);
  }

  #permitsPeer(remote: Endpoint, nowMs: number): boolean {
    // Source port 0 means that the sender wants no reply (RFC 768). Nothing can be sent to it.
    if (remote.port === 0) return false;
    if (remote.port < FIRST_USER_PORT && !this.#options.servicePorts) return false;
    return !this.#isOwn(remote, nowMs);
  }

  #decide(request: Datagram, nowMs: number): boolean {
    const { remote } = request;
    if (!this.#permitsPeer(remote, nowMs)) return false;
    if (this.#corruptionGuard?.admits(remote, nowMs) === false) return false;
    if (this.#rateLimit?.admits(remote, nowMs) === false) return false;
    if (this.#returnGuard?.admits(request, nowMs) === false) return false;
    if (this.#loopGuard?.admits(request, nowMs) !== false) return true;
    this.#corruptionGuard?.suspect(remote, nowMs);
    return false;
  }

  /**
   * A response to this peer was corrupted. If the peer sends it back, the loop guard does not know it. On the loopback this
   * does not count: a loop there harms nobody else, and tests corrupt many responses there.
   */
  corrupted(remote: Endpoint): void {
    if (!isLoopback(remote.address)) this.#corruptionGuard?.suspect(remote, performance.now());
  }

  /** Responses are about to be sent. The return guard remembers them, to know them if a peer sends them back. */
  sent(responses: readonly Outgoing[]): void {
    if (this.#returnGuard === undefined) return;
    const nowMs = performance.now();
    for (const { remote, data } of responses) this.#returnGuard.sent(remote, data, nowMs);
  }

  #isOwn({ address, port }: Endpoint, nowMs: number): boolean {
    const { local } = this.#options;
    if (port !== local.port) return false;
    if (address === local.address) return true;
    if (local.address !== '::' && local.address !== '0.0.0.0') return false;
    if (nowMs - this.#ownAddressesMs > ADDRESSES_KEPT_MS) {
      this.#ownAddresses = ownAddresses();
      this.#ownAddressesMs = nowMs;
    }
    return address.startsWith('127.') || this.#ownAddresses.has(address);
  }
}

/** Cuts a run into the pieces between the declined datagrams. @param declined their places in the run, in order */
function piecesBetween(declined: readonly number[], run: Run): Run[] {
  const { bytes, segmentBytes, count } = run;
  const pieces: Run[] = [];
  let begin = 0;
  for (const end of [...declined, count]) {
    const piece = bytes.subarray(begin * segmentBytes, end * segmentBytes);
    if (end > begin) pieces.push({ ...run, bytes: piece, count: end - begin });
    begin = end + 1;
  }
  return pieces;
}

function ownAddresses(): ReadonlySet<string> {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
    (entries ?? []).flatMap(({ address }) => [address, `${address}%${name}`]),
  );
  return new Set(addresses);
}
