import { checkMaxLoss, checkRetry, type ExchangePlan, type MessageSource, STDIN } from '../../exchange/plan.js';
import type { Expectation } from '../../check/expectation.js';
import type { WrittenExpectations } from '../../check/written-expectations.js';
import { withEol } from '../../input/eol.js';
import { HEADER_BYTES } from '../../input/payload.js';
import { checkDestination } from '../../net/address/address.js';
import { parseSourceAddress, parseWithDefaultPort } from '../../net/address/parse.js';
import { type Address, familyOf, parseAddress } from '../../net/index.js';
import { endpointOf } from '../../net/address/resolve.js';
import type { ProbeSession } from '../../probes/session.js';
import type { Io } from '../../run/context.js';
import { readExpectations } from './expectations.js';
import type { SendValues } from './send.js';
import { checkGroup, checkSharedSource } from './groups.js';
import { familyOption } from './socket.js';
import {
  checkJoins,
  checkShared,
  checkSource,
  checkUtf8,
  readAddress,
  readBind,
  readPayload,
  socketOptions,
} from './plan.js';
import { checkReplay } from './replay-plan.js';
import { UsageError } from '../../cli/usage-error.js';

/** The fields of an {@link ExchangePlan} that are derived from several options. */
type Inferred =
  'destination' | 'messages' | 'socket' | 'expectations' | 'written' | 'repliesFrom' | 'judged' | 'waitMs';

/** The parsed command line of `udpcat send`. It is also an {@link ExchangePlan}. */
export interface SendPlan extends Omit<SendValues, keyof WrittenExpectations | 'probe'>, Pick<ExchangePlan, Inferred> {
  readonly source: Address | undefined;
  /** A warning about the command line. */
  readonly advice?: string | undefined;
}

/** From this number of datagrams on, the linux engine is worth its time to load. */
const MANY = 10_000;
/** From this size of a file on stdin on, it is, too. */
const LARGE_BYTES = 1024 * 1024;

function isLarge({ rate, replay, duration, count = 1 }: SendValues, messages: MessageSource, io: Io): boolean {
  if (rate !== undefined || replay !== undefined || duration !== undefined || count >= MANY) return true;
  if (messages.kind !== 'stream') return false;
  const bytes = io.stdinBytes();
  // A server that writes JSON lines goes on and on. Other pipes mostly hold a few lines.
  return bytes === Infinity ? messages.format.frame.kind === 'json' : bytes >= LARGE_BYTES;
}

/** The text of `--probe list` or `--probe help:NAME`. Undefined: the probe is to be run. */
export async function describeProbes(text: string | undefined): Promise<string | undefined> {
  const [, help, name] = /^(?:list|help(:(.*))?)$/s.exec(text ?? '') ?? [];
  if (text === undefined || (help === undefined && text !== 'list' && text !== 'help')) return undefined;
  const { describeProbe, listProbes } = await import('../../probes/describe.js');
  return name === undefined ? listProbes() : usable(describeProbe(name));
}

/** Turns an error in the arguments of a probe into a usage error. */
async function usable<Value>(reading: Promise<Value>): Promise<Value> {
  const { ArgumentError } = await import('../../probes/arguments.js');
  try {
    return await reading;
  } catch (error) {
    if (error instanceof ArgumentError) throw new UsageError(`option '--probe': ${error.message}`);
    throw error;
  }
}

/** Reads the command line of `udpcat send`. @throws {UsageError} */
export async function planSend(
  address: string | undefined,
  messages: readonly string[],
  values: SendValues,
  io: Io,
): Promise<SendPlan> {
  checkShared(values, io);
  if (address === undefined) throw new UsageError("missing required argument 'address', for example 127.0.0.1:8000");
  checkPace(values);
  const { expect, expectExact, expectRegex, expectSize, probe: writtenProbe, ...rest } = values;
  const probe = writtenProbe === undefined ? undefined : await readProbe(writtenProbe, io);
  const destination = readDestination(address, messages, probe, values);
  const source = values.bind === undefined ? undefined : readBind(values.bind, parseSourceAddress, values);
  checkGroup(destination, values, source);
  checkSharedSource(source, destination, values);
  if (source !== undefined) checkSource(source, destination, values);
  checkHearing(source, destination, values);
  const written = { expect, expectExact, expectRegex, expectSize };
  const expectations = await readExpectations(written, values.encoding, io);
  const from = planMessages(messages, values, probe, io);
  const judged = isJudged(values, from, expectations);
  checkOneWay(probe, judged);
  checkProbe(probe, values);
  checkWaiting(values, judged);
  checkRetry(values, from);
  checkMaxLoss(values, from);
  checkReplay(values, source);
  checkLimits(values, judged);
  const probed = probe === undefined || probe.repliesFrom === 'none' ? 'peer' : probe.repliesFrom;
  return {
    ...rest,
    destination,
    source,
    advice: adviseOneAddress(address, messages),
    socket: socketOptions(values, { pays: isLarge(values, from, io) }),
    messages: from,
    expectations,
    written,
    repliesFrom: values.anySource === true ? 'anyone' : probed,
    judged,
    waitMs: planWait(values, from, judged),
  };
}

/** Checks `--join` against the source address. The family of a name is not known yet, so a name is not checked. */
function checkHearing(source: Address | undefined, destination: Address, values: SendValues): void {
  const asked = familyOption(values);
  const to = endpointOf(destination, asked);
  const family = to === undefined ? asked : familyOf(to.address);
  if (family !== undefined) checkJoins(source ?? { host: { kind: 'any' }, port: 0 }, family, values);
}

async function readProbe(text: string, io: Io): Promise<ProbeSession> {
  checkUtf8(text, "option '--probe'", io);
  const { ProbeSession: Session } = await import('../../probes/session.js');
  return usable(Session.read(text, io.env));
}

function checkPace({ rate, interval }: SendValues): void {
  if (rate === undefined || interval === undefined) return;
  throw new UsageError("options '--rate' and '--interval' both say when the next datagram is sent: leave one out");
}

function planWait({ wait, deadline }: SendValues, messages: MessageSource, judged: boolean): number | undefined {
  if (wait !== undefined) return wait;
  if (messages.kind === 'typing') return TYPING_WAIT_MS;
  if (!judged) return 0;
  return deadline === undefined ? DEFAULT_WAIT_MS : undefined;
}

const DEFAULT_WAIT_MS = 2000;
const TYPING_WAIT_MS = 1000;

/** Reads the destination. An address without a port has the port of the probe. @throws {UsageError} */
function readDestination(
  text: string,
  messages: readonly string[],
  probe: ProbeSession | undefined,
  values: SendValues,
): Address {
  const [port] = messages;
  const defaultPort = port === undefined ? probe?.port : undefined;
  const read = (): Address =>
    readAddress(text, (written) => checkDestination(parseWithDefaultPort(written, defaultPort)), values);
  // Users of netcat write the port as an argument of its own.
  if (port === undefined || !/^\d{1,5}$/.test(port) || /:\d+$|^\d+$/.test(text)) return read();
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(error.message.replace(/:PORT$/, `:${port}`));
    throw error;
  }
}

/** Warns of messages that look like further addresses. Undefined: the first message does not look like one. */
function adviseOneAddress(address: string, messages: readonly string[]): string | undefined {
  const end = messages.findIndex((message) => !looksLikeAddress(message));
  const [first, ...others] = messages.slice(0, end < 0 ? undefined : end).map((text) => `"${text}"`);
  if (first === undefined) return undefined;
  const [what, verb] = others.length === 0 ? ['message', 'looks like an address'] : ['messages', 'look like addresses'];
  return `the ${what} ${[first, ...others].join(', ')} ${verb}, and ${address} is the only receiver; run udpcat once for each`;
}

/** Whether a message is an address with a port, and its host is a literal, `localhost` or a name with a dot. */
function looksLikeAddress(message: string): boolean {
  if (!/:\d+$/.test(message)) return false;
  try {
    const { host } = parseAddress(message);
    return host.kind === 'literal' || (host.kind === 'name' && /\.|^localhost$/.test(host.name));
  } catch {
    return false;
  }
}

const ARGUMENTS = 'messages as arguments';

function planMessages(
  messages: readonly string[],
  values: SendValues,
  probe: ProbeSession | undefined,
  io: Io,
): MessageSource {
  const sources = [
    ...(messages.length > 0 ? [ARGUMENTS] : []),
    ...(values.file === undefined ? [] : ['--file']),
    ...(values.size === undefined ? [] : ['--size']),
    ...(probe === undefined ? [] : ['--probe']),
    ...(values.replay === undefined ? [] : ['--replay']),
    ...(values.frame === undefined ? [] : ['--frame, which cuts stdin']),
  ];
  if (sources.length > 1) throw new UsageError(`messages come from one source only, not from ${sources.join(' and ')}`);
  if ((values.file ?? []).filter((path) => path === STDIN).length > 1)
    throw new UsageError("option '--file': stdin can be read only once, and - is given more than once");
  checkEol(values, sources);
  checkNumbered(values);
  if (messages.length > 0) {
    const payloads = messages.map((text) => withEol(readPayload(text, values.encoding, 'the message', io), values.eol));
    return { kind: 'payloads', payloads };
  }
  if (probe !== undefined) return { kind: 'probe', probe };
  if (values.replay !== undefined) return { kind: 'replay', path: values.replay };
  if (values.file !== undefined) return { kind: 'files', paths: values.file };
  if (values.size !== undefined) return { kind: 'generated', bytes: values.size, numbered: values.numbered };
  const { count, duration, retry, maxLoss } = values;
  const repeats = [count, duration, retry, maxLoss].some((value) => value !== undefined);
  const typing = !repeats && values.frame === undefined && io.terminals.stdin && io.isForeground();
  const { encoding, eol } = values;
  if (typing) return { kind: 'typing', eol };
  return { kind: 'stream', format: { frame: values.frame ?? { kind: 'lines' }, encoding, eol } };
}

/** Refuses `--eol` for messages that are no lines. @param sources the source of the messages, as the user wrote it */
function checkEol({ eol, frame }: SendValues, [source]: readonly string[]): void {
  if (eol === undefined || source === undefined || source === ARGUMENTS || frame?.kind === 'lines') return;
  const what = frame === undefined ? source : `--frame ${frame.kind}`;
  throw new UsageError(`option '--eol' is for messages as arguments and for lines, not for ${what}: leave it out`);
}

function checkNumbered({ numbered, size }: SendValues): void {
  if (numbered === undefined) return;
  const option = numbered ? '--numbered' : '--no-numbered';
  if (size === undefined) throw new UsageError(`option '${option}' is about the payloads of --size: add --size`);
  if (numbered && size < HEADER_BYTES) {
    throw new UsageError(
      `option '--numbered' needs ${HEADER_BYTES} bytes for number and check, and --size gives ${size}`,
    );
  }
}

function isJudged(values: SendValues, messages: MessageSource, expectations: readonly Expectation[]): boolean {
  const { wait, replies, retry, anySource, expectReplay, maxLoss } = values;
  if (replies !== undefined || expectations.length > 0 || expectReplay === true || maxLoss !== undefined) return true;
  if (messages.kind === 'typing') return false;
  if (messages.kind === 'probe' && messages.probe.repliesFrom !== 'none') return true;
  return retry !== undefined || anySource === true || (wait !== undefined && wait > 0);
}

function checkWaiting({ wait }: SendValues, judged: boolean): void {
  if (wait === 0 && judged) {
    throw new UsageError("option '-w, --wait' 0 waits for no reply, and other options ask for one; give it a time");
  }
}

function checkOneWay(probe: ProbeSession | undefined, judged: boolean): void {
  if (probe?.repliesFrom !== 'none' || !judged) return;
  throw new UsageError(`nothing answers the probe ${probe.name}, and other options ask for replies: leave them out`);
}

/** Refuses to repeat a probe. Some protocols have no ids, so two replies to one request would count for two requests. */
function checkProbe(probe: ProbeSession | undefined, { count = 1, duration }: SendValues): void {
  if (probe === undefined || probe.repliesFrom === 'none' || (count <= 1 && duration === undefined)) return;
  const option = count > 1 ? "'-c, --count' above 1" : "'--duration'";
  throw new UsageError(
    `option ${option} would send the same request of the probe ${probe.name} again, and a second reply to one could not be told from another's: run the probe once each time`,
  );
}

function checkLimits({ warn, critical, exitCode, count = 1, duration }: SendValues, judged: boolean): void {
  const limit = warn !== undefined ? '--warn' : critical !== undefined ? '--critical' : undefined;
  if (limit === undefined) return;
  if (exitCode === 'udpcat') {
    throw new UsageError(`option '${limit}' changes the exit status only with --exit-code docker or nagios`);
  }
  if (!judged) throw new UsageError(`option '${limit}' limits the time of a reply, and none is asked for: add -w`);
  if (count > 1 || duration !== undefined) {
    throw new UsageError(`option '${limit}' limits the time of one reply: --count and --duration ask for more`);
  }
  if (warn !== undefined && critical !== undefined && critical < warn) {
    throw new UsageError("option '--critical' is shorter than --warn: a reply would fail before it is worth a warning");
  }
}
