import { networkInterfaces } from 'node:os';
import { isLoopback } from '../net/address/endpoint.js';
import type { Datagram, Endpoint, Outgoing } from '../net/index.js';
import { CorruptionGuard } from './corruption-guard.js';
import { LoopGuard } from './loop-guard.js';
import { RateLimit } from './rate-limit.js';
import { ReturnGuard } from './return-guard.js';
import { FIRST_USER_PORT } from './limits.js';

/** Options of {@link AnswerPolicy}. */
export interface AnswerPolicyOptions {
  /** The server's own address, which it never answers. */
  readonly local: Endpoint;
  /** Whether of identical datagrams only 100 a second are answered. */
  readonly loopGuard: boolean;
  /** Whether source ports below 1024 are answered: services live there, and would answer the answer. */
  readonly servicePorts: boolean;
  /** Answers a second for each peer; undefined or Infinity for any number. */
  readonly ratePerSecond?: number | undefined;
  /** Peers, and datagrams of the loop guard, that are remembered at once; at least {@link MIN_REMEMBERED} are. Default: 65536. */
  readonly maxPeers?: number | undefined;
  /**
   * Whether answers are corrupted on purpose, see {@link AnswerPolicy.corrupted}; called with a peer that looks like a
   * loop by that, and is not answered for a second. Undefined: they are not.
   */
  readonly onCorruptedLoop?: ((peer: Endpoint) => void) | undefined;
  /**
   * Whether answers can be ever new, see {@link AnswerPolicy.sent}; called with a peer that sends back one after another,
   * and whose datagrams of that kind are not answered for a second. Undefined: they cannot.
   */
  readonly onReturnLoop?: ((peer: Endpoint) => void) | undefined;
}

/** With fewer, a guard would forget one peer over the next, and guard nothing. */
const MIN_REMEMBERED = 1024;

/** How long the list of this host's addresses is trusted. */
const ADDRESSES_KEPT_MS = 5000;

/** Which datagrams a server answers by itself, so that it can be no weapon; counts the others. */
export class AnswerPolicy {
  readonly #options: AnswerPolicyOptions;
  readonly #loopGuard: LoopGuard | undefined;
  readonly #rateLimit: RateLimit | undefined;
  readonly #corruptionGuard: CorruptionGuard | undefined;
  readonly #returnGuard: ReturnGuard | undefined;
  #ownAddresses: ReadonlySet<string> = new Set();
  #ownAddressesMs = -Infinity;
  #declined = 0;

  constructor(options: AnswerPolicyOptions) {
    this.#options = options;
    const { loopGuard, ratePerSecond, onCorruptedLoop, onReturnLoop } = options;
    const maxRemembered = options.maxPeers && Math.max(options.maxPeers, MIN_REMEMBERED);
    this.#loopGuard = loopGuard ? new LoopGuard(maxRemembered) : undefined;
    this.#corruptionGuard =
      loopGuard && onCorruptedLoop !== undefined ? new CorruptionGuard(onCorruptedLoop, maxRemembered) : undefined;
    this.#returnGuard =
      this.#loopGuard && onReturnLoop && new ReturnGuard(this.#loopGuard, onReturnLoop, maxRemembered);
    this.#rateLimit =
      ratePerSecond === undefined || ratePerSecond === Infinity
        ? undefined
        : new RateLimit(ratePerSecond, maxRemembered);
  }

  /** How many datagrams were not answered. */
  get declined(): number {
    return this.#declined;
  }

  /** A datagram that might have been answered is not, for another reason than this policy. */
  decline(): void {
    this.#declined += 1;
  }

  /** Whether to answer a datagram now; counted in either case. */
  answers(datagram: Datagram): boolean {
    const answer = this.#decide(datagram, performance.now());
    if (!answer) this.#declined += 1;
    return answer;
  }

  #decide(datagram: Datagram, nowMs: number): boolean {
    const { remote } = datagram;
    // The sender has no port and wants no answer (RFC 768); nothing can be sent there.
    if (remote.port === 0) return false;
    if (remote.port < FIRST_USER_PORT && !this.#options.servicePorts) return false;
    if (this.#isOwn(remote, nowMs)) return false;
    if (this.#corruptionGuard?.admits(remote, nowMs) === false) return false;
    if (this.#rateLimit?.admits(remote, nowMs) === false) return false;
    if (this.#returnGuard?.admits(datagram, nowMs) === false) return false;
    if (this.#loopGuard?.admits(datagram, nowMs) !== false) return true;
    this.#corruptionGuard?.suspect(remote, nowMs);
    return false;
  }

  /**
   * An answer to this peer was corrupted: what comes back of it is not what was answered before, and would be answered
   * again and again. On the loopback that harms nobody else, and many are corrupted in tests: there it does not count.
   */
  corrupted(remote: Endpoint): void {
    if (!isLoopback(remote.address)) this.#corruptionGuard?.suspect(remote, performance.now());
  }

  /** Answers are sent: one that is new, and comes back, may go round between two servers, and never be the same twice. */
  sent(answers: readonly Outgoing[]): void {
    if (this.#returnGuard === undefined) return;
    const nowMs = performance.now();
    for (const { remote, data } of answers) this.#returnGuard.sent(remote, data, nowMs);
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

function ownAddresses(): ReadonlySet<string> {
  const addresses = Object.entries(networkInterfaces()).flatMap(([name, entries]) =>
    (entries ?? []).flatMap(({ address }) => [address, `${address}%${name}`]),
  );
  return new Set(addresses);
}
