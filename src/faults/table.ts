import { bandwidth } from './bandwidth.js';
import { blackhole } from './blackhole.js';
import { burstLoss } from './burst-loss.js';
import { corrupt } from './corrupt.js';
import { delay } from './delay.js';
import { duplicate } from './duplicate.js';
import type { Effect } from './fault.js';
import { jitter } from './jitter.js';
import { lineQueue } from './line-queue.js';
import { lose } from './lose.js';
import { loss } from './loss.js';
import { maxSize } from './max-size.js';
import { reorder } from './reorder.js';
import { truncate } from './truncate.js';

/** All faults, by the names of their options, in the order of the help. */
export const FAULTS = {
  delay,
  jitter,
  loss,
  burstLoss,
  lose,
  maxSize,
  bandwidth,
  lineQueue,
  duplicate,
  reorder,
  corrupt,
  truncate,
  blackhole,
};

type Table = typeof FAULTS;
export type FaultName = keyof Table;

type SettingOf<Row> = Row extends { readonly create: (setting: infer Setting, ...rest: never[]) => Effect }
  ? Setting
  : never;

/** The settings of the faults. An undefined fault does not happen. */
export type FaultSettings = { readonly [Name in FaultName]?: SettingOf<Table[Name]> | undefined };
