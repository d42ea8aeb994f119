import type { OutputFormat } from './format.js';

/** Writes nothing. */
export const none: OutputFormat = { create: undefined };
