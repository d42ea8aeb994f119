import { formatDatagram } from '../json-lines.js';
import type { OutputFormat } from './format.js';

/** Writes a line of JSON for each datagram, and for each event between them. */
export const json: OutputFormat = {
  create:
    ({ bound }) =>
    (datagram, chunk) => {
      chunk.text(formatDatagram(datagram, 'in', bound));
    },
  hasEvents: true,
};
