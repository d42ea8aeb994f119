import { parseSizeRange } from '../../check/expectation.js';
import { common, flag, grouped, option, repeatable, type ValuesOf } from '../../cli/options.js';
import { parseHttpAddress } from '../../http/address.js';
import { ValueError } from '../../net/errors.js';
import { parseDuration } from '../../text/duration.js';
import { ENCODINGS } from '../../text/encoding.js';
import { parseCount, parsePercentage, parseRate } from '../../text/number.js';
import { parseSizeOrZero } from '../../text/size.js';
import { formatDuration } from '../../text/time.js';
import { oneOf, parsePath, parseText } from '../../text/value.js';
import { parseAllowedTarget } from '../../watch/allowed-targets.js';
import { WATCH_FORMATS } from '../../watch/plan.js';
import { kernelOptions } from './kernel.js';
import { parseProbeText } from './send.js';
import { socketOptions } from './socket.js';
import { stderrOptions } from './stderr.js';

/** The defaults of `udpcat watch`. The help names them. */
export const DEFAULTS = {
  /** From one check of a target to the next, and the same for one target at a terminal, as ping(8) has it. */
  intervalMs: 10_000,
  terminalIntervalMs: 1000,
  /** At most the interval. */
  retryIntervalMs: 1000,
  /** At most `waitShare` of the interval. */
  waitMs: 2000,
  waitShare: 0.8,
  /** The deadline of a check, as a share of the interval. */
  deadlineShare: 0.95,
  /** The size of a generated message. */
  bytes: 32,
  rise: 2,
  fall: 3,
  resolveMs: 30_000,
  execTimeoutMs: 10_000,
  execConcurrency: 16,
} as const;

/** From one datagram of a check to the next, unless `--rate` says otherwise. */
export const SPACING_MS = 20;

/** The shortest interval between two checks of a target, in milliseconds. */
const LEAST_INTERVAL_MS = 100;

/** Reads an interval as {@link parseDuration} does, from 100 ms. */
export function parseInterval(text: string): number {
  const ms = parseDuration(text);
  if (ms < LEAST_INTERVAL_MS)
    throw new ValueError(`An interval is at least ${formatDuration(LEAST_INTERVAL_MS)}, as in 250ms, 1s, 1m.`);
  return ms;
}

/** The options of a target. They may stand on the command line, and in a file at every level. */
export function targetOptions() {
  const { failOnDrop: _ofDatagrams, ...socket } = socketOptions();
  return {
    ...grouped('Request:', {
      message: common(option('--message <text>', 'send this text', parseText)),
      probe: common(
        option('--probe <name[:args]>', 'check a known protocol; list and help:NAME tell more', parseProbeText),
      ),
      file: repeatable('--file <path>', 'send a file as one datagram', parsePath),
      size: option(
        '--size <n>',
        `send a generated payload of n bytes (default: ${DEFAULTS.bytes}, numbered)`,
        parseSizeOrZero,
      ),
      encoding: option(
        '-e, --encoding <enc>',
        `encoding of the payloads that you write: ${ENCODINGS.join(', ')}`,
        oneOf(ENCODINGS),
        'utf8',
      ),
      hex: hexFlag(),
      count: option('-c, --count <n>', `datagrams in a check, ${SPACING_MS} ms apart (default: 1)`, parseCount),
      rate: option('--rate <r>', 'datagrams a second within a check instead: 100/s, or max', parseRate),
    }),
    ...grouped('Replies:', {
      expect: common(
        repeatable('--expect <text>', 'a reply must contain this; with -e hex, ?? is any byte', parseText),
      ),
      expectExact: option('--expect-exact <text>', 'a reply must be exactly this', parseText),
      expectRegex: repeatable('--expect-regex <re>', 'a reply must match this regular expression (RE2)', parseText),
      expectSize: option('--expect-size <range>', 'size of a reply in bytes: n, n.., ..m or n..m', parseSizeRange),
      retry: option('--retry <n>', 'send again up to n times until a matching reply comes', parseCount),
      anySource: flag('--any-source', 'take replies from any address'),
      maxLoss: option(
        '--max-loss <p>',
        'a check of several datagrams passes with that share lost (default: 0%)',
        parsePercentage,
      ),
      warn: option('--warn <d>', 'a slower reply is "slow", which passes; with -c the median counts', parseDuration),
      critical: option('--critical <d>', 'a slower reply is "late", which fails', parseDuration),
    }),
    ...grouped('When to check:', {
      interval: common(
        option(
          '--interval <d>',
          `from check to check, from ${formatDuration(LEAST_INTERVAL_MS)} (default: ${formatDuration(DEFAULTS.terminalIntervalMs)} for one target at a terminal, else ${formatDuration(DEFAULTS.intervalMs)})`,
          parseInterval,
        ),
      ),
      retryInterval: option(
        '--retry-interval <d>',
        `the same while a target is unknown, or fails and is not yet down (default: ${formatDuration(DEFAULTS.retryIntervalMs)}, or the interval)`,
        parseInterval,
      ),
      wait: common(
        option(
          '-w, --wait <d>',
          `wait for replies (default: ${formatDuration(DEFAULTS.waitMs)}, or ${DEFAULTS.waitShare} of the interval)`,
          parseDuration,
        ),
      ),
      deadline: option(
        '--deadline <d>',
        `bound on a whole check (default: the interval less ${Math.round(100 * (1 - DEFAULTS.deadlineShare))} %)`,
        parseDuration,
      ),
      rise: option(
        '--rise <n>',
        `passing checks in a row that turn a target up (default: ${DEFAULTS.rise})`,
        parseCount,
      ),
      fall: option(
        '--fall <n>',
        `failing checks in a row that turn a target down (default: ${DEFAULTS.fall})`,
        parseCount,
      ),
      resolve: option('--resolve <d>', 'look a name up again after this time (default: 30s)', parseDuration),
    }),
    ...grouped('On a change of state:', {
      onChange: common(
        option('--on-change <command>', 'run a program at each change, with the event on stdin', parseText),
      ),
      shell: flag('--shell', 'have the shell run the command of --on-change'),
      execTimeout: option(
        '--exec-timeout <d>',
        `kill a program that runs for longer (default: ${formatDuration(DEFAULTS.execTimeoutMs)})`,
        parseDuration,
      ),
    }),
    ...socket,
    ...kernelOptions(),
  };
}

function hexFlag() {
  return flag('-x, --hex', 'the same as -e hex').change((declared) => {
    declared.implies({ encoding: 'hex' });
  });
}

/** The options of a whole run. In a file they stand at its top. */
export function runOptions() {
  return {
    ...grouped('Output:', {
      output: common(
        option(
          '-o, --output <format>',
          `${WATCH_FORMATS.join(', ')} (default: checks for one target, else states)`,
          oneOf(WATCH_FORMATS),
        ),
      ),
    }),
    ...grouped('HTTP:', {
      http: common(option('--http <address>', 'serve a page, health and metrics there: 9000, :9000', parseHttpAddress)),
      allowTarget: repeatable(
        '--allow-target <what>',
        'let /probe check 10.0.0.0/8, or name:53; targets it always may (default: all, if HTTP listens on the loopback)',
        parseAllowedTarget,
      ),
    }),
    ...grouped('On a change of state:', {
      execConcurrency: option(
        '--exec-concurrency <n>',
        `programs that run at a time (default: ${DEFAULTS.execConcurrency})`,
        parseCount,
      ),
    }),
    ...grouped('When to stop:', {
      checks: common(option('--checks <n>', 'stop after n checks of every target', parseCount)),
      until: common(option('--until <state>', 'stop when all targets are up, or down', oneOf(['up', 'down']))),
      duration: common(option('--duration <d>', 'stop after this time: 250ms, 2s, 3m, 1h', parseDuration)),
    }),
    ...stderrOptions(),
  };
}

/** All options of `udpcat watch`. */
export function watchOptions() {
  return {
    ...grouped('Targets:', {
      config: common(option('--config <file>', 'targets from a YAML or JSON file, read again on SIGHUP', parsePath)),
    }),
    ...targetOptions(),
    ...runOptions(),
  };
}

/** The options of a target, parsed. */
export type TargetValues = ValuesOf<ReturnType<typeof targetOptions>>;
/** The options of a run, parsed. */
export type RunValues = ValuesOf<ReturnType<typeof runOptions>>;
/** The options of `udpcat watch`, parsed. */
export type WatchValues = ValuesOf<ReturnType<typeof watchOptions>>;
