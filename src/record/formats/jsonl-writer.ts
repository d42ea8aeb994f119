import { isWildcard } from '../../net/address/endpoint.js';
import type { Endpoint } from '../../net/index.js';
import type { Format } from '../../output/formats/format.js';
import { JsonDatagrams } from '../../output/json-datagrams.js';

/**
 * Makes a writer of datagrams as lines of a `.jsonl` recording. A datagram without its own local address has the bound one. A
 * wildcard address becomes the field `local`.
 */
export function jsonlFormat(dir: 'in' | 'out', bound: Endpoint): Format {
  const lines = new JsonDatagrams(dir, bound);
  const known = isWildcard(bound.address) ? undefined : bound;
  return ({ data, remote, local = known, timeMs, note }, chunk) => {
    lines.write({ data, remote, local, timeMs, note }, chunk);
  };
}
