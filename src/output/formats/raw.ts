import type { OutputFormat } from './format.js';

/** The bytes of the payloads, without their boundaries. */
export const raw: OutputFormat = {
  create:
    () =>
    ({ data }, chunk) => {
      chunk.bytes(data);
    },
  isRaw: true,
};
