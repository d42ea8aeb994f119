import { jsonDatagrams } from '../json-datagrams.js';
import type { OutputFormat } from './format.js';

/** Writes a line of JSON for each datagram, and for each event between them. */
export const json: OutputFormat = { create: ({ bound }) => jsonDatagrams('in', bound), hasEvents: true };
