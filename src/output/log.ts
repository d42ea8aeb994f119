import type { Writable } from 'node:stream';
import type { Logger } from 'pino';
import { escapeJson, escapeText } from './escape.js';
import { createPalette, type Palette } from './palette.js';

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
  /** A line that is written whatever the level. */
  announce(message: string, fields?: LogFields): void;
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
}

interface Line {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
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

  const load = async (): Promise<void> => {
    const out = stream();
    target = { out, logger: await createLogger(out, options) };
    for (const line of waiting.splice(0)) writeOut(line, target);
  };
  const writeOut = ({ level, message, fields, essential }: Line, { out, logger }: NonNullable<typeof target>): void => {
    if (!essential && out.writableLength > MAX_WAITING_BYTES) {
      leftOut += 1;
      return;
    }
    if (leftOut > 0) logger.warn(`${leftOut} lines were left out here, because nobody read those before them`);
    leftOut = 0;
    logger[level](fields, message);
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
      if (writes(level)) put({ level, message, fields, essential: level === 'error' });
    };

  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    announce: (message, fields = {}) => {
      put({ level: 'info', message, fields, essential: true });
    },
    writes,
    flush: async () => {
      await loading;
    },
  };
}

async function createLogger(stream: Writable, { format, colored }: LogOptions): Promise<Logger> {
  const { pino } = await import('pino');
  // Nobody can be told that stderr is closed.
  stream.on('error', () => undefined);
  const destination =
    format === 'json'
      ? { write: (line: string) => void stream.write(escapeJson(line)) }
      : prettyDestination(stream, await createPalette(colored));
  return pino({ name: 'udpcat', level: 'debug' }, destination);
}

const WARN = 40;
const ERROR = 50;

function prettyDestination(stream: Writable, palette: Palette): { write: (line: string) => void } {
  return {
    write: (line) => {
      const { level, msg } = JSON.parse(line) as { level: number; msg: string };
      const text = escapeText(msg);
      const said = level >= ERROR ? palette.red(text) : level >= WARN ? `${palette.yellow('warning:')} ${text}` : text;
      stream.write(`udpcat: ${level < 30 ? palette.dim(text) : said}\n`);
    },
  };
}
