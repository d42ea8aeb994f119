import type { OutputFormat } from './format.js';

/** Writes the bytes of the payloads, without boundaries between them. */
export const raw: OutputFormat = {
  create:
    () =>
    ({ data }, chunk) => {
      chunk.bytes(data);
    },
  isRaw: true,
};
