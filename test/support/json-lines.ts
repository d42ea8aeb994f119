import type { Datagram, Endpoint } from '../../src/net/index.js';
import { ChunkBuilder } from '../../src/output/chunk-builder.js';
import { JsonDatagrams } from '../../src/output/json-datagrams.js';

/** Returns a datagram as a line of `-o json`, newline included. */
export function formatDatagram(datagram: Datagram, dir: 'in' | 'out', bound: Endpoint): string {
  const chunk = new ChunkBuilder();
  new JsonDatagrams(dir, bound).write(datagram, chunk);
  return chunk.take().toString();
}
