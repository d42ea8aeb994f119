import type { Endpoint } from '../../net/index.js';
import { formatDatagram } from '../../output/json-lines.js';
import type { CapturedDatagram } from '../captured-datagram.js';

/**
 * Formats a datagram as a line of a `.jsonl` recording, newline included. A wildcard address becomes the field `local`.
 */
export function jsonlRecord({ timeMs, source, destination, data }: CapturedDatagram, dir: 'in' | 'out'): string {
  const [remote, own] = dir === 'in' ? [source, destination] : [destination, source];
  return formatDatagram({ data, remote, local: isWildcard(own) ? undefined : own, timeMs }, dir, own);
}

function isWildcard({ address }: Endpoint): boolean {
  return address === '::' || address === '0.0.0.0';
}
