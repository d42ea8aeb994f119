import type { ValuesOf } from '../../cli/options.js';
import type { FormatName } from '../../output/formats/table.js';
import { datagramOptions } from './datagrams.js';
import { kernelOptions } from './kernel.js';
import { socketOptions } from './socket.js';
import { stderrOptions } from './stderr.js';
import { stoppingOptions } from './stopping.js';

/** The options that `serve`, `send` and `echo` share. Each command has its own defaults. */
export function sharedOptions(defaults: { readonly output: FormatName; readonly count: string }) {
  return {
    ...datagramOptions(defaults.output),
    ...stoppingOptions(defaults.count),
    ...socketOptions(),
    ...kernelOptions(),
    ...stderrOptions(),
  };
}

/** The parsed values of {@link sharedOptions}. */
export type SharedValues = ValuesOf<ReturnType<typeof sharedOptions>>;
