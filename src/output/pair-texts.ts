import type { Endpoint } from '../net/index.js';

/** The text of one pair of addresses. */
interface Kept {
  readonly local: Endpoint | undefined;
  readonly bytes: Buffer;
}

/**
 * Keeps the text about each peer as bytes, because a peer sends many datagrams. The engines give the same object for the
 * same address, so a text is found by the object. It is forgotten with the object.
 */
export class PairTexts {
  readonly #make: (remote: Endpoint, local: Endpoint | undefined) => string;
  readonly #known = new WeakMap<Endpoint, Kept>();
  #lastRemote: Endpoint | undefined;
  #last: Kept | undefined;

  /** @param make makes the text about a peer and the local address of its datagrams */
  constructor(make: (remote: Endpoint, local: Endpoint | undefined) => string) {
    this.#make = make;
  }

  /** Returns the text about a peer as UTF-8. The caller must not change the bytes. */
  of(remote: Endpoint, local: Endpoint | undefined): Buffer {
    const known = remote === this.#lastRemote ? this.#last : this.#known.get(remote);
    const kept =
      known !== undefined && known.local === local
        ? known
        : { local, bytes: Buffer.from(this.#make(remote, local), 'utf8') };
    if (kept !== known) this.#known.set(remote, kept);
    this.#lastRemote = remote;
    this.#last = kept;
    return kept.bytes;
  }
}
