import { UsageError } from '../../cli/usage-error.js';
import { HttpError } from '../../http/reply.js';
import { checkDestination } from '../../net/address/address.js';
import { isLoopback } from '../../net/address/endpoint.js';
import { endpointOf } from '../../net/address/resolve.js';
import { type Address, DatagramError, formatEndpoint, parseAddress } from '../../net/index.js';
import type { ActiveFault } from '../../faults/active-fault.js';
import type { Way } from '../plan.js';
import type { Relay } from '../relay.js';
import type { RelayControl } from '../run.js';
import type { EndReason } from '../session.js';
import type { Toxic, ToxicFields } from './toxic.js';

/** The addresses of a proxy, as a client wrote them. */
export interface ProxyAddresses {
  readonly listen: string;
  readonly upstream: string;
}

/** The relay of a name, which is running or not, and its toxics. */
export class Proxy {
  readonly name: string;
  readonly #control: RelayControl;
  #addresses: ProxyAddresses;
  #written: string;
  #relay: Relay | undefined;
  #toxics: readonly Toxic[] = [];

  /** @throws {HttpError} 400 if an address is wrong */
  constructor(control: RelayControl, name: string, addresses: ProxyAddresses) {
    readAddresses(addresses);
    this.#control = control;
    this.name = name;
    this.#addresses = addresses;
    this.#written = addresses.listen;
  }

  /** Takes over a relay that runs. @param toxics the faults that act on it */
  adopt(relay: Relay, toxics: readonly Toxic[]): void {
    this.#relay = relay;
    this.#addresses = { ...this.#addresses, listen: formatEndpoint(relay.server.local) };
    // The same objects as before: so the faults keep their state.
    this.#toxics = toxics.map(({ action, ...toxic }) => {
      const acting = action.faults.map(
        (fault) => relay.faults[toxic.way].find(({ name }) => name === fault.name) ?? fault,
      );
      return { ...toxic, action: { ...action, faults: acting } };
    });
  }

  get isEnabled(): boolean {
    return this.#relay !== undefined;
  }

  get addresses(): ProxyAddresses {
    return this.#addresses;
  }

  /** The toxics, first of the way up, then of the way down, each in the order of adding. */
  get toxics(): readonly Toxic[] {
    return [...this.#toxics.filter(({ way }) => way === 'up'), ...this.#toxics.filter(({ way }) => way === 'down')];
  }

  /** The toxic of a name. @throws {HttpError} 404 */
  toxic(name: string): Toxic {
    const found = this.#toxics.find(({ fields }) => fields.name === name);
    if (found === undefined) throw new HttpError(404, 'toxic not found');
    return found;
  }

  /** Replaces the toxics. They act from now on. Datagrams that wait keep their moments. */
  set toxics(toxics: readonly Toxic[]) {
    this.#toxics = toxics;
    if (this.#relay === undefined) return;
    this.#apply(this.#relay);
    this.#control.changed(this.name, this.#relay, this.toxicFields);
  }

  get toxicFields(): readonly ToxicFields[] {
    return this.toxics.map(({ fields }) => fields);
  }

  #apply(relay: Relay): void {
    const of = (wanted: Way): readonly ActiveFault[] =>
      this.#toxics.flatMap(({ way, action }) => (way === wanted ? action.faults : []));
    relay.faults = { up: of('up'), down: of('down') };
    const rebinding = this.#toxics.filter(({ action }) => action.rebindMs !== undefined);
    relay.sessions.rebindAll(({ number }) => {
      const times = rebinding.flatMap(({ action, actsOn }) => (actsOn(number) ? (action.rebindMs ?? []) : []));
      return times.length === 0 ? undefined : Math.min(...times);
    });
  }

  /**
   * Starts the relay, if it does not run.
   *
   * @throws {HttpError} 400 for addresses that a relay cannot have, 500 if it cannot listen
   */
  async enable(): Promise<void> {
    if (this.#relay !== undefined) return;
    try {
      const relay = await this.#control.start(this.name, readAddresses(this.#addresses));
      this.#relay = relay;
      this.#addresses = { ...this.#addresses, listen: formatEndpoint(relay.server.local) };
      if (this.#toxics.length > 0) this.toxics = this.#toxics;
    } catch (error) {
      if (error instanceof UsageError) throw new HttpError(400, error.message);
      if (error instanceof DatagramError) throw new HttpError(500, error.message);
      throw error;
    }
  }

  /** Ends the relay and its sessions, if it runs. */
  async disable(reason: EndReason): Promise<void> {
    this.#relay = undefined;
    await this.#control.end(this.name, reason);
  }

  /** Changes the addresses. A relay that runs is ended. @throws {HttpError} 400 if an address is wrong */
  async move(addresses: ProxyAddresses): Promise<void> {
    readAddresses(addresses);
    await this.disable('disabled');
    this.#addresses = addresses;
    this.#written = addresses.listen;
  }

  /** Whether the addresses differ from the ones of this proxy. @throws {HttpError} 400 if an address is wrong */
  differsFrom(other: ProxyAddresses): boolean {
    const { listen } = readAddresses(other);
    return other.upstream !== this.#addresses.upstream || !(other.listen === this.#written || this.#isAt(listen));
  }

  #isAt(address: Address): boolean {
    const endpoint = endpointOf(address, this.#control.plan.socket.family);
    if (endpoint !== undefined) return formatEndpoint(endpoint) === this.#addresses.listen;
    const local = this.#relay?.server.local;
    const isLocalhost = address.host.kind === 'name' && address.host.name.toLowerCase() === 'localhost';
    return local !== undefined && isLocalhost && isLoopback(local.address) && local.port === address.port;
  }

  get fields() {
    return { name: this.name, ...this.#addresses, enabled: this.isEnabled, toxics: this.toxicFields };
  }
}

/** @throws {HttpError} 400 */
function readAddresses({ listen, upstream }: ProxyAddresses): { readonly listen: Address; readonly target: Address } {
  return {
    listen: readAddress('listen', listen, parseAddress),
    target: readAddress('upstream', upstream, (text) => checkDestination(parseAddress(text))),
  };
}

function readAddress(field: string, text: string, parse: (text: string) => Address): Address {
  try {
    return parse(text);
  } catch (error) {
    if (error instanceof DatagramError) throw new HttpError(400, `bad request body: "${field}": ${error.message}`);
    throw error;
  }
}
