import { formatDatagram } from '../json-lines.js';
import type { OutputFormat } from './format.js';

/** A JSON object a line, and the events between the datagrams. */
export const json: OutputFormat = {
  create:
    ({ bound }) =>
    (datagram, chunk) => {
      chunk.text(formatDatagram(datagram, 'in', bound));
    },
  hasEvents: true,
};
