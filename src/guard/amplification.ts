import { MAX_AMPLIFICATION } from './limits.js';

/**
 * Whether the responses to a request are more than {@link MAX_AMPLIFICATION} times as large as the request. An attacker can
 * forge the sender of requests: then such a server floods the victim with more bytes than the attacker sends.
 *
 * @param responseBytes the payloads of all responses to the request together
 */
export function amplifies(requestBytes: number, responseBytes: number): boolean {
  return responseBytes > MAX_AMPLIFICATION * requestBytes;
}
