import { escapeText } from '../text/escape.js';
import { formatMs } from '../text/time.js';
import type { PluginState } from './exit-code.js';

/** The content of the performance data: the round-trip time and its limits, in milliseconds, and the loss. */
export interface PluginData {
  readonly rttMs: number | undefined;
  readonly warnMs: number | undefined;
  readonly criticalMs: number | undefined;
  /** The loss and its limit in percent. Undefined: it is not judged. */
  readonly loss: { readonly percent: number; readonly maxPercent: number } | undefined;
}

/**
 * Formats the line of a monitoring plugin, with a newline: `UDPCAT OK - … | rtt=0.41ms;200;500;0`. Without a round-trip time
 * the value is `U` for undetermined (Monitoring Plugins Development Guidelines, "Plugin Output" and "Performance data"). A
 * loss that is judged follows: `loss=2%;;5;0;100`.
 *
 * @param says the text for people
 * @param data undefined: the line has no performance data
 */
export function formatPluginLine(state: PluginState, says: string, data?: PluginData): string {
  // A bar in the text would begin the performance data.
  const text = escapeText(says).replaceAll('|', '/');
  return `UDPCAT ${state} - ${text}${data === undefined ? '' : ` | ${formatData(data)}`}\n`;
}

function formatData({ rttMs, warnMs, criticalMs, loss }: PluginData): string {
  const value = rttMs === undefined ? 'U' : `${formatMs(rttMs)}ms`;
  const lossData = loss === undefined ? '' : ` loss=${loss.percent}%;;${loss.maxPercent};0;100`;
  return `rtt=${value};${warnMs ?? ''};${criticalMs ?? ''};0${lossData}`;
}
