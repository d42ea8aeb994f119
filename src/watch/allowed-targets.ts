import { AccessList, parseCidr } from '../guard/access-list.js';
import { checkDestination, formatAddress } from '../net/address/address.js';
import { parseAddress } from '../net/address/parse.js';
import { ValueError } from '../net/errors.js';
import { DatagramError } from '../net/index.js';
import type { AllowedTarget, HttpPlan } from './plan.js';

/** Reads a value of `--allow-target`: a block of addresses, or a name or an address with its port. @throws {ValueError} */
export function parseAllowedTarget(text: string): AllowedTarget {
  const block = parseCidr(text);
  if (block !== undefined) return { kind: 'block', block };
  try {
    const address = checkDestination(parseAddress(text));
    if (address.host.kind === 'literal' || address.host.kind === 'name') {
      return { kind: 'address', address: formatAddress(address).toLowerCase() };
    }
  } catch (error) {
    if (!(error instanceof DatagramError)) throw error;
  }
  throw new ValueError('Allowed is 192.0.2.0/24, 2001:db8::/32, one address, name:53 or 192.0.2.1:53.');
}

/** Decides which addresses `/probe` may check. */
export class AllowedTargets {
  readonly #all: boolean;
  readonly #addresses: ReadonlySet<string>;
  readonly #blocks: AccessList | undefined;

  /** @param isLoopback whether the server listens on the loopback */
  constructor({ allowed }: Pick<HttpPlan, 'allowed'>, isLoopback: boolean) {
    const blocks = (allowed ?? []).flatMap((each) => (each.kind === 'block' ? [each.block] : []));
    this.#all = allowed === undefined && isLoopback;
    this.#addresses = new Set((allowed ?? []).flatMap((each) => (each.kind === 'address' ? [each.address] : [])));
    this.#blocks = blocks.length === 0 ? undefined : new AccessList(blocks, []);
  }

  /** Whether a target is allowed as it is written: all are, or it stands in the list, or it is one of `configured`. */
  includes(address: string, configured: Iterable<{ readonly plan: { readonly address: string } }>): boolean {
    const lower = address.toLowerCase();
    if (this.#all || this.#addresses.has(lower)) return true;
    for (const { plan } of configured) if (plan.address.toLowerCase() === lower) return true;
    return false;
  }

  /** Whether some addresses are allowed with every port, so that the addresses of a name can be allowed. */
  get hasBlocks(): boolean {
    return this.#blocks !== undefined;
  }

  /** Whether an IP address is allowed with every port. */
  admits(address: string): boolean {
    return this.#blocks?.admits({ address, port: 0 }) ?? false;
  }
}
