import type { Verdict } from '../check/judge.js';

/** The exit statuses of udpcat's own numbering. */
export const ExitCode = {
  /** The command did what it was asked to do. */
  ok: 0,
  /** A local failure: udpcat could not resolve, bind, open, read, send or write, or there was nothing to send. */
  failure: 1,
  /** The command line is wrong. Nothing was opened or sent. */
  usage: 2,
  /** No reply or too few replies came in time; or `serve` got fewer datagrams than `--count`. */
  silent: 3,
  /** An ICMP error said that no program listens there, or that a firewall prohibits it. */
  refused: 4,
  /** A reply from the address asked failed an expectation. */
  mismatch: 5,
  /** Replies came, all from other addresses. */
  stray: 6,
  /** Datagrams were dropped, and `--fail-on-drop` or `--overflow fail` was given. */
  dropped: 7,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** One exit status in words. */
export interface ExitStatus {
  /** The number, or the numbers. */
  readonly status: string;
  /** A few words for `--help`. */
  readonly brief: string;
  /** The meaning for the manual page and the documentation. */
  readonly meaning: string;
}

const MEANINGS: Readonly<Record<keyof typeof ExitCode, Omit<ExitStatus, 'status'>>> = {
  ok: {
    brief: 'done or answered',
    meaning: 'done: everything sent; or the replies asked for came and matched; or `serve`, `echo` ended as told',
  },
  failure: {
    brief: 'local failure',
    meaning: 'local failure: cannot resolve, bind, open, read, send or write; nothing to send',
  },
  usage: { brief: 'usage', meaning: 'usage error: nothing was opened or sent' },
  silent: {
    brief: 'silent',
    meaning: 'silent: no reply in time, or too few; or fewer datagrams than `serve --count` when the time was over',
  },
  refused: {
    brief: 'refused',
    meaning:
      'refused: nobody listens there, or a firewall prohibits it; with the linux engine also: a router cannot reach it',
  },
  mismatch: { brief: 'wrong reply', meaning: 'mismatch: the address asked replied, and not as expected' },
  stray: { brief: 'only strangers replied', meaning: 'stray: replies came, all from other addresses' },
  dropped: {
    brief: 'datagrams dropped',
    meaning:
      'datagrams were dropped: by the full queue, with `--overflow fail`; or, with `--fail-on-drop`, by the kernel, the queue or the output, and the status would otherwise be 0',
  },
};

/** The statuses of udpcat's own numbering, in order. Help, manual page and documentation say the same. */
export const EXIT_STATUSES: readonly ExitStatus[] = [
  ...Object.entries(ExitCode).map(([name, status]) => ({
    status: String(status),
    ...MEANINGS[name as keyof typeof ExitCode],
  })),
  {
    status: '130, 143',
    brief: 'send ends by the signal that stopped it',
    meaning: "SIGINT or SIGTERM ended `send`: the process dies by the signal, so that a shell's loop ends too",
  },
];

/** The exit status for a verdict. */
export function exitCodeOf(verdict: Verdict): ExitCode {
  return ExitCode[verdict];
}

export const NUMBERINGS = ['udpcat', 'docker', 'nagios'] as const;

/** A set of exit statuses: udpcat's own, those of a Docker `HEALTHCHECK`, or those of the Monitoring Plugins. */
export type Numbering = (typeof NUMBERINGS)[number];

/** The time of the first matching reply: within `--warn`, above `--warn`, or above `--critical`. */
export type Speed = 'fine' | 'slow' | 'too slow';

/** The statuses of a monitoring plugin (Monitoring Plugins Development Guidelines, "Plugin Return Codes"). */
export const PluginStatus = { OK: 0, WARNING: 1, CRITICAL: 2, UNKNOWN: 3 } as const;

/** The name of the status of a monitoring plugin. */
export type PluginState = keyof typeof PluginStatus;

/** The status of a run as a monitoring plugin. */
export function pluginState(code: ExitCode, speed: Speed = 'fine'): PluginState {
  if (code === ExitCode.failure || code === ExitCode.usage) return 'UNKNOWN';
  if (code !== ExitCode.ok || speed === 'too slow') return 'CRITICAL';
  return speed === 'slow' ? 'WARNING' : 'OK';
}

/** The exit status of a run in the given numbering. */
export function statusIn(numbering: Numbering, code: ExitCode, speed: Speed = 'fine'): number {
  switch (numbering) {
    case 'udpcat':
      return code;
    case 'docker':
      return code === ExitCode.ok && speed !== 'too slow' ? 0 : 1;
    case 'nagios':
      return PluginStatus[pluginState(code, speed)];
  }
}

/**
 * The numbering that a command line asks for by `--exit-code`. It is found even in a command line that is wrong, so that the
 * usage error has the right status. Default: `udpcat`.
 */
export function numberingOf(args: readonly string[]): Numbering {
  const end = args.indexOf('--');
  const options = end < 0 ? args : args.slice(0, end);
  const at = options.findIndex((word) => word === '--exit-code' || word.startsWith('--exit-code='));
  const [, value = options[at + 1]] = /^--exit-code=(.*)$/s.exec(options[at] ?? '') ?? [];
  return NUMBERINGS.find((name) => at >= 0 && name === value) ?? 'udpcat';
}
