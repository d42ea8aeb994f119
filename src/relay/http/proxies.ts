import { HttpError } from '../../http/reply.js';
import { formatAddress } from '../../net/address/address.js';
import { endpointOf } from '../../net/address/resolve.js';
import { type Address, formatEndpoint } from '../../net/index.js';
import type { RelayControl } from '../run.js';
import { asFields, type Fields, readFields, readFlag, readJson, readText } from './fields.js';
import { Proxy, type ProxyAddresses } from './proxy.js';
import { readChange, readToxic, type Toxic } from './toxic.js';
import { toxicsOf } from './written-faults.js';

/** Proxies at a time. */
const MAX_PROXIES = 1000;
/** Toxics of a proxy. Each datagram passes all of its way. */
const MAX_TOXICS = 100;

/** Where a proxy listens whose body does not tell it. */
const ANY_PORT = '127.0.0.1:0';

/** A proxy of `POST /populate` could not be added. The proxies before it were added. */
export class PopulateError extends HttpError {
  readonly proxies: readonly Proxy[];

  constructor({ status, message }: HttpError, proxies: readonly Proxy[]) {
    super(status, message);
    this.proxies = proxies;
  }
}

/** The relays of a process, as the API of toxiproxy names them. Changes are made one after another. */
export class Proxies {
  readonly #control: RelayControl;
  readonly #proxies = new Map<string, Proxy>();
  #changed: Promise<unknown> = Promise.resolve();

  constructor(control: RelayControl) {
    this.#control = control;
    this.#adoptFirst();
  }

  /** The relay of the command line is a proxy, too. */
  #adoptFirst(): void {
    const { plan, relays } = this.#control;
    const relay = relays.accounts.get(plan.name)?.relay;
    if (plan.first === undefined || relay === undefined) return;
    const { listen, target } = plan.first;
    const proxy = new Proxy(this.#control, plan.name, {
      listen: writeAddress(listen),
      upstream: writeAddress(target),
    });
    proxy.adopt(relay, toxicsOf(plan));
    this.#proxies.set(plan.name, proxy);
  }

  [Symbol.iterator](): IterableIterator<Proxy> {
    return this.#proxies.values();
  }

  /** @throws {HttpError} 404 */
  get(name: string): Proxy {
    const found = this.#proxies.get(name);
    if (found === undefined) throw new HttpError(404, 'proxy not found');
    return found;
  }

  /** Makes a change when all earlier changes are made. */
  #change<Result>(act: () => Promise<Result>): Promise<Result> {
    const done = this.#changed.then(act);
    this.#changed = done.catch(() => undefined);
    return done;
  }

  /** Adds a proxy. @throws {HttpError} 400, 409 if the name is taken, 500 if the relay cannot start */
  add(body: string): Promise<Proxy> {
    const { name, addresses, enabled } = readProxy(readFields(body), '');
    return this.#change(async () => {
      if (this.#proxies.has(name)) throw new HttpError(409, 'proxy already exists');
      return this.#create(name, addresses, enabled);
    });
  }

  async #create(name: string, addresses: ProxyAddresses, enabled: boolean): Promise<Proxy> {
    if (this.#proxies.size >= MAX_PROXIES) throw new HttpError(400, `there are ${MAX_PROXIES} proxies already`);
    const { relays } = this.#control;
    const proxy = new Proxy(this.#control, name, addresses);
    relays.note(name);
    try {
      if (enabled) await proxy.enable();
    } catch (error) {
      relays.forget(name);
      throw error;
    }
    this.#proxies.set(name, proxy);
    return proxy;
  }

  /**
   * Adds proxies. One that is there already stays as it is, unless its addresses are others.
   *
   * @throws {HttpError} 400 before any change
   * @throws {PopulateError} if a proxy cannot be added
   */
  populate(body: string): Promise<readonly Proxy[]> {
    const list = readJson(body);
    if (!Array.isArray(list)) throw new HttpError(400, 'bad request body: it must be a list of proxies');
    const wanted = list.map((each, index) => readProxy(asFields(each), ` at proxy ${index + 1}`));
    return this.#change(async () => {
      const proxies: Proxy[] = [];
      for (const { name, addresses, enabled } of wanted) {
        try {
          proxies.push(await this.#addOrReplace(name, addresses, enabled));
        } catch (error) {
          if (error instanceof HttpError) throw new PopulateError(error, proxies);
          throw error;
        }
      }
      return proxies;
    });
  }

  async #addOrReplace(name: string, addresses: ProxyAddresses, enabled: boolean): Promise<Proxy> {
    const known = this.#proxies.get(name);
    if (known?.differsFrom(addresses) === false) return known;
    if (known !== undefined) await this.#remove(known);
    return this.#create(name, addresses, enabled);
  }

  /** Changes addresses, or starts or ends the relay. @throws {HttpError} 400, 404, 500 */
  update(name: string, body: string): Promise<Proxy> {
    const proxy = this.get(name);
    const fields = readFields(body);
    return this.#change(async () => {
      const { listen, upstream } = proxy.addresses;
      const wanted = {
        listen: readText(fields, 'listen') || listen,
        upstream: readText(fields, 'upstream') || upstream,
      };
      const enabled = readFlag(fields, 'enabled', proxy.isEnabled);
      if (proxy.differsFrom(wanted)) await proxy.move(wanted);
      if (enabled) await proxy.enable();
      else await proxy.disable('disabled');
      return proxy;
    });
  }

  /** @throws {HttpError} 404 */
  remove(name: string): Promise<void> {
    this.get(name);
    return this.#change(() => this.#remove(this.get(name)));
  }

  async #remove(proxy: Proxy): Promise<void> {
    await proxy.disable('deleted');
    this.#proxies.delete(proxy.name);
    this.#control.relays.forget(proxy.name);
  }

  /** Starts every relay, and removes all toxics. @throws {HttpError} 500 if a relay cannot start */
  reset(): Promise<void> {
    return this.#change(async () => {
      for (const proxy of this.#proxies.values()) {
        if (proxy.toxics.length > 0) proxy.toxics = [];
        await proxy.enable();
      }
    });
  }

  /** Adds a toxic. @throws {HttpError} 400, 404, 409 if the name is taken */
  addToxic(proxyName: string, body: string): Toxic {
    const proxy = this.get(proxyName);
    const toxic = readToxic(body, this.#control.plan.seed);
    if (proxy.toxics.some(({ fields }) => fields.name === toxic.fields.name)) {
      throw new HttpError(409, 'toxic already exists');
    }
    if (proxy.toxics.length >= MAX_TOXICS) throw new HttpError(400, `there are ${MAX_TOXICS} toxics already`);
    proxy.toxics = [...proxy.toxics, toxic];
    return toxic;
  }

  /** Changes a toxic. @throws {HttpError} 400, 404 */
  updateToxic(proxyName: string, name: string, body: string): Toxic {
    const proxy = this.get(proxyName);
    const before = proxy.toxic(name);
    const after = readChange(body, before, this.#control.plan.seed);
    proxy.toxics = proxy.toxics.map((toxic) => (toxic === before ? after : toxic));
    return after;
  }

  /** Removes a toxic. @throws {HttpError} 404 */
  removeToxic(proxyName: string, name: string): void {
    const proxy = this.get(proxyName);
    const removed = proxy.toxic(name);
    proxy.toxics = proxy.toxics.filter((toxic) => toxic !== removed);
  }
}

/** Writes an address of the command line, which may be a port only. */
function writeAddress(address: Address): string {
  const endpoint = endpointOf(address);
  return endpoint === undefined ? formatAddress(address) : formatEndpoint(endpoint);
}

/** Reads a proxy. @param where behind the name of a missing field. @throws {HttpError} 400 */
function readProxy(fields: Fields, where: string) {
  const need = (field: string): string => {
    const text = readText(fields, field);
    if (text === '') throw new HttpError(400, `missing required field: ${field}${where}`);
    return text;
  };
  return {
    name: need('name'),
    addresses: { upstream: need('upstream'), listen: readText(fields, 'listen') || ANY_PORT },
    enabled: readFlag(fields, 'enabled', true),
  };
}
