import { ArgumentError, optional, readOneOf } from './arguments.js';
import { defineProbe } from './probe.js';

/** The maximum number of characters of a name or a value, so that the line fits any packet. */
const MAX_PART = 250;

/**
 * Sends one metric. Collectors do not reply (docs/metric_types.md of statsd; only newer collectors know the type `h`).
 */
export const statsd = defineProbe({
  summary: 'one metric; nothing answers',
  proves: 'The metric left, and nothing refused it at once. Whether anybody counts it cannot be seen from here.',
  source: "statsd's docs/metric_types.md",
  port: 8125,
  repliesFrom: 'none',
  arguments: {
    name: optional('the name of the metric', readPart, 'udpcat.probe'),
    value: optional('its value', readPart, '1'),
    type: optional(
      'c counts, g is a gauge, ms a time, h a histogram, s a set',
      readOneOf(['c', 'g', 'ms', 'h', 's']),
      'c',
    ),
  },
  check({ value, type }) {
    if (type !== 's' && !/^[+-]?\d+(\.\d+)?$/.test(value)) {
      throw new ArgumentError(
        `its argument "value" cannot be ${JSON.stringify(value)}: of type ${type} it is a number`,
      );
    }
  },
  start({ name, value, type }) {
    return { request: Buffer.from(`${name}:${value}|${type}`) };
  },
});

/**
 * Reads a name or a value. It must not have `:`, `|`, `@` or white space, which would end it.
 *
 * @throws {ArgumentError}
 */
function readPart(text: string): string {
  if (!/^[!-~]+$/.test(text) || /[:|@]/.test(text) || text.length > MAX_PART) {
    throw new ArgumentError(`it must be 1 to ${MAX_PART} printable ASCII characters, without spaces, ":", "|" and "@"`);
  }
  return text;
}
