import type { ExchangePlan } from '../exchange/plan.js';
import type { Cidr } from '../guard/access-list.js';
import type { Address } from '../net/index.js';
import type { Program } from '../responders/program-run.js';
import type { LogPlan } from '../run/plan.js';
import type { HealthLimits } from './health.js';

/** What is written to stdout: every check, every change of a state, both as JSON, or nothing. */
export const WATCH_FORMATS = ['checks', 'states', 'json', 'none'] as const;
export type WatchFormat = (typeof WATCH_FORMATS)[number];

/** The program that runs when the state of a target changes. */
export interface HookPlan {
  readonly program: Program;
  /** How long one run may last, in milliseconds. */
  readonly timeoutMs: number;
  /** A warning about the command line, which probably means something else. Default: none. */
  readonly advice?: string | undefined;
}

/** One check of a target: what is asked, and what makes it pass. */
export interface CheckPlan {
  readonly exchange: ExchangePlan & {
    /** How long replies are awaited, in milliseconds; 0 for a message that nobody answers. */
    readonly waitMs: number;
  };
  /** Bound on the whole check, in milliseconds from its start, the look-up of a name included. */
  readonly deadlineMs: number;
  /** A slower reply is `slow`, in milliseconds. Default: none is. */
  readonly warnMs: number | undefined;
  /** A slower reply is `late`, in milliseconds. Default: none is. */
  readonly criticalMs: number | undefined;
}

/** One target: whom it asks, when, and how its state follows from the checks. */
export interface TargetPlan extends CheckPlan, HealthLimits {
  /** Unlike that of any other target. */
  readonly name: string;
  /** The address as configured, in canonical form with its port. */
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Whether it counts for the health of all. */
  readonly health: boolean;
  /** From one check to the next, in milliseconds. */
  readonly intervalMs: number;
  /** The same while the target is unknown, or fails and is not yet down. */
  readonly retryIntervalMs: number;
  /** After this time a name is looked up again, in milliseconds. */
  readonly resolveMs: number;
  readonly hook: HookPlan | undefined;
}

/** When a run ends by itself. */
export interface EndPlan {
  /** Checks of each target. */
  readonly checks: number | undefined;
  /** The state that all targets are to have. */
  readonly until: 'up' | 'down' | undefined;
  /** Milliseconds from the start. */
  readonly duration: number | undefined;
}

/** Addresses that `/probe` may ask: a block of them with every port, or one name or address with its port. */
export type AllowedTarget =
  | { readonly kind: 'block'; readonly block: Cidr }
  /** As {@link TargetPlan.address} has it, in lower case. */
  | { readonly kind: 'address'; readonly address: string };

/** The server of `--http`. */
export interface HttpPlan {
  /** The TCP address. */
  readonly listen: Address;
  /** Default: every address if the server listens on the loopback, otherwise only those of targets. */
  readonly allowed: readonly AllowedTarget[] | undefined;
}

/**
 * Plans one check of an address that need not be a target.
 *
 * @param module the module of the file. Default: the options of the command line, or of the top of the file.
 * @throws {UsageError} for an address that cannot be read, and for a module that is not there
 */
export type PlanProbe = (address: string, module: string | undefined) => Promise<TargetPlan>;

/** The targets, and the options for checks of other addresses. */
export interface WatchedPlan {
  readonly targets: readonly TargetPlan[];
  readonly planProbe: PlanProbe;
}

/** What `udpcat watch` was asked to do. */
export interface WatchPlan extends EndPlan, LogPlan, WatchedPlan {
  readonly http: HttpPlan | undefined;
  readonly output: WatchFormat;
  /** Whether a table and the summary stand on stderr. Default: at a terminal, unless `quiet`. */
  readonly stats: boolean | undefined;
  /** Programs of `--on-change` that run at a time. */
  readonly hookConcurrency: number;
  /** The file of targets, if there is one. */
  readonly file:
    | {
        readonly path: string;
        /** Reads it anew. @throws {UsageError} for anything wrong in it, and if it cannot be read */
        readonly read: (signal: AbortSignal) => Promise<WatchedPlan>;
      }
    | undefined;
}
