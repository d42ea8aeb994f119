import { type Endpoint, sameEndpoint } from '../net/index.js';

/** The addresses of a target. The datagrams of new sessions go to the first one. */
export class Targets {
  #all: readonly Endpoint[];

  /** @param all empty if the addresses are not known yet */
  constructor(all: readonly Endpoint[]) {
    this.#all = all;
  }

  get first(): Endpoint | undefined {
    return this.#all[0];
  }

  /**
   * An address refused datagrams, or none can be sent to it. If it is the first of several addresses, it becomes the last one.
   *
   * @returns the address that became the first one; undefined if nothing changed
   */
  refused(by: Endpoint): Endpoint | undefined {
    const [first, ...others] = this.#all;
    if (first === undefined || others.length === 0 || !sameEndpoint(first, by)) return undefined;
    this.#all = [...others, first];
    return others[0];
  }
}
