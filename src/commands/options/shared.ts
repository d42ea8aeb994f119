import type { ValuesOf } from '../../cli/options.js';
import type { FormatName } from '../../output/formats/table.js';
import { datagramOptions } from './datagrams.js';
import { kernelOptions } from './kernel.js';
import { socketOptions } from './socket.js';
import { stderrOptions } from './stderr.js';
import { stoppingOptions } from './stopping.js';

/** The options that `serve`, `send` and `echo` share. Made anew for each command, because their defaults differ. */
export function sharedOptions(defaults: { readonly output: FormatName; readonly count: string }) {
  return {
    ...datagramOptions(defaults.output),
    ...stoppingOptions(defaults.count),
    ...socketOptions(),
    ...kernelOptions(),
    ...stderrOptions(),
  };
}

/** What every command was asked for, parsed. */
export type SharedValues = ValuesOf<ReturnType<typeof sharedOptions>>;
