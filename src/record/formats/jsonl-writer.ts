import { isWildcard } from '../../net/address/endpoint.js';
import type { Endpoint } from '../../net/index.js';
import { jsonDatagrams } from '../../output/json-datagrams.js';
import type { Format } from '../../output/payloads.js';

/**
 * Makes a writer of datagrams as lines of a `.jsonl` recording. A datagram without its own local address has the bound one. A
 * wildcard address becomes the field `local`.
 */
export function jsonlFormat(dir: 'in' | 'out', bound: Endpoint): Format {
  return jsonDatagrams(dir, bound, isWildcard(bound.address) ? undefined : bound);
}
