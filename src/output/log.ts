import type { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { escapeJson, escapeText } from '../text/escape.js';
import { createPalette, type Palette } from './palette.js';
import { StatusLine } from './status-line.js';

/** How much is said on stderr, from most to least. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** How it is said: a line for people, or pino's JSON. */
export type LogFormat = 'pretty' | 'json';

export const LOG_FORMATS: readonly LogFormat[] = ['pretty', 'json'];

/** Facts that belong to a line: further members of it in JSON, not shown otherwise. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What udpcat says on stderr. Lines appear in the order in which they were given. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /**
   * A line that is written whatever the level.
   *
   * @param details lines under it for people; in JSON its fields say the same
   */
  announce(message: string, fields?: LogFields, details?: readonly string[]): void;
  /** As {@link announce}, for what can be asked for without end: left out while nobody reads the lines before it. */
  report(message: string, fields?: LogFields, details?: readonly string[]): void;
  /** Whether there is a status line. */
  readonly hasStatus: boolean;
  /**
   * Shows a text at the bottom of the terminal, replaced in place at most four times a second; undefined takes it away.
   * Lines are written above it. Nothing where there is no status line.
   */
  status(text: string | undefined): void;
  /** Takes the status line away for a moment, because something else is about to be written to the terminal. */
  putStatusAside(): void;
  /** Whether lines of a level are written. */
  writes(level: LogLevel): boolean;
  /** Resolves when every line given so far was handed to the stream. */
  flush(): Promise<void>;
}

/** Options of {@link createLog}. */
export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly colored: boolean;
  /** Whether there is a status line: only for people, and only on a terminal. Default: none. */
  readonly hasStatus?: boolean;
}

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  /** Lines under it in a pretty log. */
  readonly details: readonly string[];
  /** Whether it is written even when nobody reads the lines before it. */
  readonly essential: boolean;
}

/** Above this no more lines are put behind those that nobody has read, except for essential ones. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * A log on a stream. The stream is opened, and pino loaded, with the first line that is written, so that a command that
 * says nothing is fast.
 */
export function createLog(stream: () => Writable, options: LogOptions): Log {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const waiting: Line[] = [];
  let target: { readonly out: Writable; readonly logger: Logger } | undefined;
  let loading: Promise<void> | undefined;
  let leftOut = 0;
  let opened: Writable | undefined;
  const open = (): Writable => {
    // Nobody can be told that stderr is closed.
    opened ??= stream().on('error', () => undefined);
    return opened;
  };
  const statusLine = options.hasStatus === true ? new StatusLine(open) : undefined;

  const load = async (): Promise<void> => {
    const out = open();
    target = { out, logger: await createLogger(out, options, statusLine) };
    for (const line of waiting.splice(0)) writeOut(line, target);
  };
  const writeOut = (
    { level, message, fields, details, essential }: Line,
    { out, logger }: NonNullable<typeof target>,
  ): void => {
    if (!essential && out.writableLength > MAX_WAITING_BYTES) {
      leftOut += 1;
      return;
    }
    if (leftOut > 0) logger.warn(`${leftOut} lines were left out here, because nobody read those before them`);
    leftOut = 0;
    logger[level](fields, message);
    if (options.format === 'pretty') for (const detail of details) logger[level](detail);
  };
  const put = (line: Line): void => {
    if (target !== undefined) writeOut(line, target);
    else {
      waiting.push(line);
      loading ??= load();
    }
  };
  const writes = (level: LogLevel): boolean => LOG_LEVELS.indexOf(level) >= threshold;
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (writes(level)) put({ level, message, fields, details: [], essential: level === 'error' });
    };
  const whatever =
    (essential: boolean) =>
    (message: string, fields: LogFields = {}, details: readonly string[] = []): void => {
      put({ level: 'info', message, fields, details, essential });
    };

  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    announce: whatever(true),
    report: whatever(false),
    hasStatus: statusLine !== undefined,
    status: (text) => {
      statusLine?.set(text);
    },
    putStatusAside: () => {
      statusLine?.putAside();
    },
    writes,
    flush: async () => {
      await loading;
    },
  };
}

async function createLogger(
  stream: Writable,
  { format, colored }: LogOptions,
  statusLine: StatusLine | undefined,
): Promise<Logger> {
  const { pino } = await import('pino');
  const destination =
    format === 'json'
      ? { write: (line: string) => void stream.write(escapeJson(line)) }
      : prettyDestination(stream, await createPalette(colored), statusLine);
  return pino({ name: 'udpcat', level: 'debug' }, destination);
}

const WARN = 40;
const ERROR = 50;

function prettyDestination(
  stream: Writable,
  palette: Palette,
  statusLine: StatusLine | undefined,
): { write: (line: string) => void } {
  return {
    write: (line) => {
      const { level, msg } = JSON.parse(line) as { level: number; msg: string };
      const text = escapeText(msg);
      const said = level >= ERROR ? palette.red(text) : level >= WARN ? `${palette.yellow('warning:')} ${text}` : text;
      statusLine?.erase();
      stream.write(`udpcat: ${level < 30 ? palette.dim(text) : said}\n`);
      statusLine?.draw();
    },
  };
}
