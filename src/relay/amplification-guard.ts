import { MAX_AMPLIFICATION } from '../guard/limits.js';

/**
 * Limits the bytes that go to a client whose address may be forged. Until the client has sent a datagram after its first
 * answer, it gets at most three times the bytes that it sent (RFC 9000 section 8). A datagram after an answer shows that
 * the answer has arrived.
 */
export class AmplificationGuard {
  #sentByClient = 0;
  #sentToClient = 0;
  #isProven = false;

  /** Whether the client has shown that its address is its own. Then everything is admitted. */
  get isProven(): boolean {
    return this.#isProven;
  }

  /** The client sent a datagram, or several, with this number of bytes. */
  received(bytes: number): void {
    if (this.#sentToClient > 0) this.#isProven = true;
    this.#sentByClient += bytes;
  }

  /** Whether a datagram may go to the client. If so, it counts. @param bytes of the payload, with its copies */
  admits(bytes: number): boolean {
    if (this.#isProven) return true;
    if (this.#sentToClient + bytes > MAX_AMPLIFICATION * this.#sentByClient) return false;
    // An empty answer shows as much as any other.
    this.#sentToClient += Math.max(bytes, 1);
    return true;
  }
}
