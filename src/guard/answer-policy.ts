import { networkInterfaces } from 'node:os';
import type { Datagram, Endpoint } from '../net/index.js';
import { LoopGuard } from './loop-guard.js';
import { RateLimit } from './rate-limit.js';

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
}

const FIRST_USER_PORT = 1024;
/** How long the list of this host's addresses is trusted. */
const ADDRESSES_KEPT_MS = 5000;

/** Which datagrams a server answers by itself, so that it can be no weapon; counts the others. */
export class AnswerPolicy {
  readonly #options: AnswerPolicyOptions;
  readonly #loopGuard: LoopGuard | undefined;
  readonly #rateLimit: RateLimit | undefined;
  #ownAddresses: ReadonlySet<string> = new Set();
  #ownAddressesMs = -Infinity;
  #declined = 0;

  constructor(options: AnswerPolicyOptions) {
    this.#options = options;
    this.#loopGuard = options.loopGuard ? new LoopGuard() : undefined;
    const { ratePerSecond } = options;
    this.#rateLimit =
      ratePerSecond === undefined || ratePerSecond === Infinity ? undefined : new RateLimit(ratePerSecond);
  }

  /** How many datagrams were not answered. */
  get declined(): number {
    return this.#declined;
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
    if (this.#rateLimit?.admits(remote, nowMs) === false) return false;
    return this.#loopGuard?.admits(datagram, nowMs) ?? true;
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
