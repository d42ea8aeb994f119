import { readAddress } from './plan.js';
import { adviseShell, splitWords } from './responses.js';
import { planSend } from './send-plan.js';
import type { SendValues } from './send.js';
import { familyOption } from './socket.js';
import { DEFAULTS, SPACING_MS, type RunValues, type TargetValues } from './watch.js';
import { UsageError } from '../../cli/usage-error.js';
import { STDIN } from '../../exchange/plan.js';
import { checkDestination, formatAddress } from '../../net/address/address.js';
import { parseWithDefaultPort } from '../../net/address/parse.js';
import { endpointOf } from '../../net/address/resolve.js';
import {
  type Address,
  DatagramError,
  familyOf,
  formatEndpoint,
  MAX_PAYLOAD_BYTES,
  parseAddress,
} from '../../net/index.js';
import type { Probe } from '../../probes/probe.js';
import { checkProgram } from '../../responders/load.js';
import type { Io } from '../../run/context.js';
import { formatDuration } from '../../text/time.js';
import type { HookPlan, TargetPlan } from '../../watch/plan.js';

/** The values of a target that one level has: the command line, or the top, a module or a target of a file. */
export type TargetLevel = Partial<TargetValues>;

/** A target of the command line or the file, before its values are read. */
export interface WrittenTarget {
  readonly address: string;
  /** Default: the address in canonical form. */
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Default: true. */
  readonly health?: boolean | undefined;
}

/** The facts of the run that decide the plan of a target. */
export interface Surroundings {
  readonly io: Io;
  /** Whether the run has only this target. */
  readonly isAlone: boolean;
  /** The state that ends the run. With it, one check decides unless `--rise` and `--fall` are given. */
  readonly until: RunValues['until'];
}

/**
 * Plans one target.
 *
 * @param values the merged values of all levels
 * @throws {UsageError} for values that contradict each other, or cannot be read
 * @throws {LocalFailure} for a program that cannot be run
 */
export async function planTarget(
  written: WrittenTarget,
  values: TargetValues,
  { io, isAlone, until }: Surroundings,
): Promise<TargetPlan> {
  checkFiles(values);
  checkSources(values);
  const probe = await findProbe(values.probe);
  const destination = readTarget(written.address, values, probe);
  const intervalMs =
    values.interval ?? (isAlone && io.terminals.stdout ? DEFAULTS.terminalIntervalMs : DEFAULTS.intervalMs);
  const retryIntervalMs = values.retryInterval ?? Math.min(DEFAULTS.retryIntervalMs, intervalMs);
  checkShorter('--retry-interval', retryIntervalMs, intervalMs, 'longer');
  const { waitMs, deadlineMs } = planTimes(values, intervalMs);
  const isOneWay = probe?.repliesFrom === 'none';
  const sending = sendValues(values, isOneWay ? values.wait : waitMs);
  const exchange = await planSend(
    formatAddress(destination),
    values.message === undefined ? [] : [values.message],
    sending,
    io,
  );
  checkSize(exchange.messages, destination, values);
  checkRate(values, exchange.messages);
  checkSpeed(values, exchange.judged);
  const endpoint = endpointOf(destination, familyOption(values));
  const address = endpoint === undefined ? formatAddress(destination) : formatEndpoint(endpoint);
  const byDefault = until === undefined ? { rise: DEFAULTS.rise, fall: DEFAULTS.fall } : { rise: 1, fall: 1 };
  return {
    name: written.name ?? address,
    address,
    labels: written.labels ?? {},
    health: written.health ?? true,
    exchange: {
      ...exchange,
      interval: values.rate === undefined ? SPACING_MS : undefined,
      rate: values.rate,
      waitMs: exchange.waitMs ?? 0,
    },
    intervalMs,
    retryIntervalMs,
    deadlineMs,
    warnMs: values.warn,
    criticalMs: values.critical,
    rise: values.rise ?? byDefault.rise,
    fall: values.fall ?? byDefault.fall,
    resolveMs: values.resolve ?? DEFAULTS.resolveMs,
    hook: await planHook(values, io),
  };
}

/**
 * Plans one check of an address that need not be a target. No program runs after it.
 *
 * @throws {UsageError} as {@link planTarget}
 */
export function planCheck(address: string, values: TargetValues, io: Io): Promise<TargetPlan> {
  return planTarget({ address }, { ...values, onChange: undefined }, { io, isAlone: false, until: undefined });
}

/** An address that every check can have. With it, options are checked before the first address is known. */
export const SOME_ADDRESS = 'localhost:9';

/** Returns the probe. Undefined without one, and for an unknown name, which `planSend` refuses. */
async function findProbe(text: string | undefined): Promise<Probe | undefined> {
  if (text === undefined) return undefined;
  const { findProbe: find, splitName } = await import('../../probes/session.js');
  return find(splitName(text)[0]).catch(() => undefined);
}

function checkFiles({ file = [] }: TargetValues): void {
  if (!file.includes(STDIN)) return;
  throw new UsageError("option '--file': stdin can be read only once, and every check sends it again: name a file");
}

function checkSources({ message, probe, file, size }: TargetValues): void {
  const others = Object.entries({ '--probe': probe, '--file': file, '--size': size });
  const [other] = others.find(([, value]) => value !== undefined) ?? [];
  if (message === undefined || other === undefined) return;
  throw new UsageError(`messages come from one source only, not from --message and ${other}`);
}

/** Reads the address of a target. A probe knows the port of its protocol. @throws {UsageError} */
function readTarget(text: string, values: TargetValues, probe: Probe | undefined): Address {
  const read = (address: string): Address => checkDestination(parseWithDefaultPort(address, probe?.port));
  return readAddress(text, read, sendValues(values, undefined));
}

/** Whether a text can be an address with a port. */
export function isAddress(text: string): boolean {
  try {
    parseAddress(text);
    return true;
  } catch (error) {
    if (error instanceof DatagramError) return false;
    throw error;
  }
}

function planTimes(
  { wait, deadline, count = 1, rate }: TargetValues,
  intervalMs: number,
): { readonly waitMs: number; readonly deadlineMs: number } {
  if (wait !== undefined) checkShorter('-w, --wait', wait, intervalMs, 'not shorter');
  if (deadline !== undefined) checkShorter('--deadline', deadline, intervalMs, 'not shorter');
  const deadlineMs = deadline ?? intervalMs * DEFAULTS.deadlineShare;
  const sendingMs = (count - 1) * (rate === undefined ? SPACING_MS : 1000 / rate);
  const byDefault = Math.min(DEFAULTS.waitMs, intervalMs * DEFAULTS.waitShare, deadlineMs - sendingMs);
  const waitMs = wait ?? byDefault;
  if (waitMs <= 0 || sendingMs + waitMs > deadlineMs) {
    const excess =
      sendingMs === 0
        ? `option '-w, --wait' ${formatDuration(waitMs)} is`
        : `option '-c, --count': ${count} datagrams take ${formatDuration(Math.ceil(sendingMs))}` +
          (wait === undefined ? ', which is' : ` and the wait ${formatDuration(wait)}, which is`);
    throw new UsageError(
      `${excess} longer than the deadline of a check, ${formatDuration(deadlineMs)}: lengthen --interval or --deadline`,
    );
  }
  return { waitMs, deadlineMs };
}

/** Refuses a time that is too long for the interval, because two checks of one target must not overlap. @throws {UsageError} */
function checkShorter(option: string, ms: number, intervalMs: number, what: 'longer' | 'not shorter'): void {
  if (what === 'longer' ? ms <= intervalMs : ms < intervalMs) return;
  throw new UsageError(
    `option '${option}' ${formatDuration(ms)} is ${what} than the interval of ${formatDuration(intervalMs)} (--interval)`,
  );
}

/** Returns the values of `send` for one check. */
function sendValues(values: TargetValues, wait: number | undefined): SendValues {
  const { message, probe, file, size } = values;
  const hasMessage = message !== undefined || probe !== undefined || file !== undefined || size !== undefined;
  return {
    ...values,
    size: hasMessage ? size : DEFAULTS.bytes,
    wait,
    deadline: undefined,
    interval: undefined,
    rate: undefined,
    duration: undefined,
    idle: undefined,
    frame: undefined,
    eol: undefined,
    numbered: undefined,
    replay: undefined,
    replayFilter: undefined,
    senders: undefined,
    speed: undefined,
    replies: undefined,
    expectReplay: undefined,
    exitCode: 'udpcat',
    warn: undefined,
    critical: undefined,
    explain: undefined,
    output: 'none',
    meta: undefined,
    force: undefined,
    record: undefined,
    recordReplace: undefined,
    rotateSize: undefined,
    rotateTime: undefined,
    keep: undefined,
    failOnDrop: undefined,
    stats: undefined,
    logLevel: undefined,
    logFormat: 'pretty',
    verbose: undefined,
    quiet: undefined,
    color: undefined,
  };
}

/** Refuses a message that no datagram holds. For a name without `-4` or `-6`, the limit is that of IPv6. @throws {UsageError} */
function checkSize(messages: TargetPlan['exchange']['messages'], destination: Address, values: TargetValues): void {
  const endpoint = endpointOf(destination, familyOption(values));
  const limit = MAX_PAYLOAD_BYTES[endpoint === undefined ? (familyOption(values) ?? 6) : familyOf(endpoint.address)];
  const [option, bytes] =
    messages.kind === 'generated'
      ? ['--size', messages.bytes]
      : ['--message', messages.kind === 'payloads' ? (messages.payloads[0]?.length ?? 0) : 0];
  if (bytes > limit) {
    throw new UsageError(`option '${option}': ${bytes} bytes are more than a datagram to there holds, ${limit}`);
  }
}

function checkRate({ count = 1, rate }: TargetValues, messages: TargetPlan['exchange']['messages']): void {
  const isMany = count > 1 || (messages.kind === 'files' && messages.paths.length > 1);
  if (!isMany && rate !== undefined) {
    throw new UsageError("option '--rate' is for a check of several datagrams: add -c");
  }
}

function checkSpeed({ warn, critical }: TargetValues, judged: boolean): void {
  const limit = warn !== undefined ? '--warn' : critical !== undefined ? '--critical' : undefined;
  if (limit === undefined) return;
  if (!judged) throw new UsageError(`option '${limit}' limits the time of a reply, and nothing answers this probe`);
  if (warn !== undefined && critical !== undefined && critical < warn) {
    throw new UsageError("option '--critical' is shorter than --warn: a reply would fail before it is slow");
  }
}

async function planHook({ onChange, shell, execTimeout }: TargetValues, io: Io): Promise<HookPlan | undefined> {
  if (onChange === undefined) return undefined;
  if (onChange.trim() === '') throw new UsageError("option '--on-change' names no program");
  const timeoutMs = execTimeout ?? DEFAULTS.execTimeoutMs;
  if (shell === true) return { program: { kind: 'shell', line: onChange }, timeoutMs };
  const program = await splitWords(onChange, '--on-change');
  if (program.kind === 'words') await checkProgram(program.file, io.env.PATH);
  return { program, timeoutMs, advice: adviseShell(onChange, shell, '--on-change') };
}
