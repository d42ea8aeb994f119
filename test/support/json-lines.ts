import type { Datagram, Endpoint } from '../../src/net/index.js';
import { ChunkBuilder } from '../../src/output/chunk-builder.js';
import { jsonDatagrams } from '../../src/output/json-datagrams.js';

/** Returns a datagram as a line of `-o json`, newline included. */
export function formatDatagram(datagram: Datagram, dir: 'in' | 'out', bound: Endpoint): string {
  const chunk = new ChunkBuilder();
  jsonDatagrams(dir, bound)(datagram, chunk);
  return chunk.take().toString();
}
