import type { OutputFormat } from './format.js';

/** Writes the bytes of the payloads, without boundaries between them. */
export const raw: OutputFormat = {
  create: () => (item, chunk) => {
    chunk.bytes('bytes' in item ? item.bytes : item.data);
  },
  isRaw: true,
};
