import type { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { escapeJson, escapeText } from '../text/escape.js';
import { createPalette, type Palette } from './palette.js';
import { type BottomLine, type Status, StatusLine } from './status-line.js';

/** How much is logged on stderr, from most to least. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export const LOG_LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

/** How lines of the log are written: as text for people, or as JSON of pino. */
export type LogFormat = 'pretty' | 'json';

export const LOG_FORMATS: readonly LogFormat[] = ['pretty', 'json'];

/** Members that are added to a line in JSON. The pretty format does not show them. */
export type LogFields = Readonly<Record<string, unknown>>;

/** Writes log lines to stderr, in the order of the calls. */
export interface Log {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /**
   * Writes a line at any level.
   *
   * @param details Lines under it in the pretty format. In JSON `fields` has the same information.
   */
  announce(message: string, fields?: LogFields, details?: readonly string[]): void;
  /**
   * Writes a line at any level, for lines that can come without end. The line is left out while more than 1 MiB of
   * lines is unread.
   */
  report(message: string, fields?: LogFields, details?: readonly string[]): void;
  /** Whether there is a status line. */
  readonly hasStatus: boolean;
  /**
   * Shows a text or rows at the bottom of the terminal, below all lines. They change at most four times a second. Undefined
   * removes them. Without a status line this does nothing.
   */
  status(status: Status | undefined): void;
  /** Keeps a line below all lines, in place of the status line. Undefined removes it. */
  keepBelow(line: BottomLine | undefined): void;
  /** Removes the line at the bottom for a moment. Call it before something else is written to the terminal. */
  putStatusAside(): void;
  /** Whether lines of a level are written. */
  writes(level: LogLevel): boolean;
  /** Resolves when every line so far was handed to the stream. */
  flush(): Promise<void>;
}

/** Options of {@link createLog}. */
export interface LogOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  readonly colored: boolean;
  /** Whether there is a status line. Only for the pretty format on a terminal. Default: false. */
  readonly hasStatus?: boolean;
  /** Whether nothing is written, whatever the level. Default: false. */
  readonly isSilent?: boolean;
}

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
  /** Lines under it in a pretty log. */
  readonly details: readonly string[];
  /** Whether it is written even if the lines before it are unread. */
  readonly essential: boolean;
}

/** While more bytes than this are unread, only essential lines are written. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * Makes a log. With the first line it opens the stream and loads pino, so that a command without a line starts faster.
 *
 * @param stream Opens the stream. Called at most once.
 */
export function createLog(stream: () => Writable, options: LogOptions): Log {
  const threshold = LOG_LEVELS.indexOf(options.level);
  const waiting: Line[] = [];
  let target: { readonly out: Writable; readonly logger: Logger } | undefined;
  let loading: Promise<void> | undefined;
  let leftOut = 0;
  let opened: Writable | undefined;
  const open = (): Writable => {
    // If stderr is closed, there is no place to report it.
    opened ??= stream().on('error', () => undefined);
    return opened;
  };
  const statusLine = options.hasStatus === true ? new StatusLine(open) : undefined;

  let bottom: BottomLine | undefined = statusLine;

  const load = async (): Promise<void> => {
    const out = open();
    target = { out, logger: await createLogger(out, options, () => bottom) };
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
    if (leftOut > 0) logger.warn(`${leftOut} lines were left out here, because the lines before them were not read`);
    leftOut = 0;
    logger[level](fields, message);
    if (options.format === 'pretty') for (const detail of details) logger[level](detail);
  };
  const put = (line: Line): void => {
    if (options.isSilent === true) return;
    if (target !== undefined) writeOut(line, target);
    else {
      waiting.push(line);
      loading ??= load();
    }
  };
  const writes = (level: LogLevel): boolean => options.isSilent !== true && LOG_LEVELS.indexOf(level) >= threshold;
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
    status: (status) => {
      statusLine?.set(status);
    },
    keepBelow: (line) => {
      bottom?.erase();
      bottom = line ?? statusLine;
    },
    putStatusAside: () => {
      bottom?.putAside();
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
  bottomLine: () => BottomLine | undefined,
): Promise<Logger> {
  const { pino } = await import('pino');
  const destination =
    format === 'json'
      ? { write: (line: string) => void stream.write(escapeJson(line)) }
      : prettyDestination(stream, await createPalette(colored), bottomLine);
  return pino({ name: 'udpcat', level: 'debug' }, destination);
}

const WARN = 40;
const ERROR = 50;

function prettyDestination(
  stream: Writable,
  palette: Palette,
  bottomLine: () => BottomLine | undefined,
): { write: (line: string) => void } {
  return {
    write: (line) => {
      const { level, msg } = JSON.parse(line) as { level: number; msg: string };
      const text = escapeText(msg);
      const said = level >= ERROR ? palette.red(text) : level >= WARN ? `${palette.magenta('warning:')} ${text}` : text;
      const bottom = bottomLine();
      bottom?.erase();
      stream.write(`udpcat: ${level < 30 ? palette.dim(text) : said}\n`);
      bottom?.draw();
    },
  };
}
