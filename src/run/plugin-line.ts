import { escapeText } from '../text/escape.js';
import { formatMs } from '../text/time.js';
import type { PluginState } from './exit-code.js';

/** The content of the performance data: the round-trip time and its limits, in milliseconds. */
export interface PluginTiming {
  readonly rttMs: number | undefined;
  readonly warnMs: number | undefined;
  readonly criticalMs: number | undefined;
}

/**
 * Formats the line of a monitoring plugin, with a newline: `UDPCAT OK - … | rtt=0.41ms;200;500;0`. Without a round-trip time
 * the value is `U` for undetermined (Monitoring Plugins Development Guidelines, "Plugin Output" and "Performance data").
 *
 * @param says the text for people
 * @param timing undefined: the line has no performance data
 */
export function formatPluginLine(state: PluginState, says: string, timing?: PluginTiming): string {
  // A bar in the text would begin the performance data.
  const text = escapeText(says).replaceAll('|', '/');
  return `UDPCAT ${state} - ${text}${timing === undefined ? '' : ` | ${formatTiming(timing)}`}\n`;
}

function formatTiming({ rttMs, warnMs, criticalMs }: PluginTiming): string {
  const value = rttMs === undefined ? 'U' : `${formatMs(rttMs)}ms`;
  return `rtt=${value};${warnMs ?? ''};${criticalMs ?? ''};0`;
}
