import type { Command } from 'commander';
import { Exchange, type ExchangeEvents } from '../check/exchange.js';
import { type Expectation, expectContains, expectExact, expectRegex, expectSize } from '../check/expectation.js';
import { Judge, type Verdict } from '../check/judge.js';
import { EncodingError } from '../input/encoding.js';
import { checkDestination, parseSourceAddress } from '../net/endpoint.js';
import {
  type Address,
  DatagramError,
  type Family,
  familyOf,
  formatEndpoint,
  MAX_PAYLOAD_BYTES,
  parseAddress,
} from '../net/index.js';
import { resolveAddress } from '../net/resolve.js';
import { payloadFields } from '../output/json-lines.js';
import { formatDuration } from '../output/time.js';
import { Totals } from '../stats/totals.js';
import { Alarm, waitUntil } from '../timing/alarm.js';
import type { Context, Ending, Io, StopSignal } from './context.js';
import { ExitCode, exitCodeOf } from './exit-code.js';
import { LocalFailure } from './failure.js';
import { Interruption, unlessAborted } from './interruption.js';
import { collectMessages, KeptMessages, loadMessages, type MessageSource, streamMessages } from './messages.js';
import {
  addOptions,
  familyOption,
  grouped,
  flag,
  option,
  repeatable,
  sharedOptions,
  type ValuesOf,
} from './options.js';
import { Output } from './output.js';
import {
  checkShared,
  checkSource,
  checkUtf8,
  readAddress,
  readBind,
  readPayload,
  reportBuffers,
  socketOptions,
} from './plan.js';
import { readTypedLines } from './typed-lines.js';
import { UsageError } from './usage-error.js';
import {
  parseCount,
  parseDuration,
  parseDurationOrZero,
  parseFrame,
  parseReplies,
  parseSizeOrZero,
  parseSizeRange,
  parseText,
} from './values.js';

function sendOptions() {
  return {
    ...grouped('Messages:', {
      file: repeatable('--file <path>', 'send the contents of a file as one datagram', parseText),
      size: option('--size <n>', 'send a generated payload of n bytes', parseSizeOrZero),
      frame: option(
        '--frame <frame>',
        'how stdin is cut into datagrams: lines, null, whole, chunk:N, length, json',
        parseFrame,
      ),
      interval: option('--interval <d>', 'time from one round of --count to the next (default: 1s)', parseDuration),
    }),
    ...grouped('Replies:', {
      wait: option(
        '-w, --wait <d>',
        'wait for replies at most so long; 0 sends and ends (default: 2s if judged)',
        parseDurationOrZero,
      ),
      replies: option('-n, --replies <n|all>', 'stop after n matching replies (default: one a message)', parseReplies),
      expect: repeatable('--expect <text>', 'a reply must contain this; with -e hex, ?? is any byte', parseText),
      expectExact: option('--expect-exact <text>', 'a reply must be exactly this', parseText),
      expectRegex: repeatable('--expect-regex <re>', 'a reply must match this, in RE2 syntax', parseText),
      expectSize: option('--expect-size <range>', 'bytes that a reply must have: n, n.., ..m or n..m', parseSizeRange),
      retry: option('--retry <n>', 'send again n times over the wait until a matching reply comes', parseCount),
      deadline: option('--deadline <d>', 'bound on everything, from start to exit', parseDuration),
      anySource: flag('--any-source', 'take replies from any address, and show whose they are'),
    }),
    ...sharedOptions({ output: 'utf8', count: 'send each message n times' }),
  };
}

type SendValues = ValuesOf<ReturnType<typeof sendOptions>>;

/** What `udpcat send` was asked to do, parsed and complete. */
export interface SendPlan extends Omit<SendValues, 'expect' | 'expectExact' | 'expectRegex' | 'expectSize'> {
  readonly destination: Address;
  readonly source: Address | undefined;
  readonly messages: MessageSource;
  readonly expectations: readonly Expectation[];
  /** Whether the exit status tells of the replies. */
  readonly judged: boolean;
  /** How long to wait for replies, in ms: 0 for not at all, undefined for until the deadline. */
  readonly waitMs: number | undefined;
}

const EXAMPLES = `
Examples:
  udpcat send 127.0.0.1:8000 hello                   one datagram
  udpcat send 127.0.0.1:7000 ping --expect ping      status 0 answered, 3 silent, 4 refused, 5 wrong, 6 stray
  udpcat send -x 192.0.2.1:53 '12 34 ff'             bytes in hex, the reply in hex
  printf 'a\\nb\\n' | udpcat send 127.0.0.1:8000       one datagram a line
  udpcat send 127.0.0.1:8000 --file packet.bin --wait 1s -o dump
`;

/** Declares `udpcat send <address> [message...]`; `run` receives the plan. */
export function declareSend(command: Command, io: Io, run: (plan: SendPlan) => Promise<void>): void {
  command
    .description(
      'Sends datagrams: the messages, files, or what stdin holds; with -w, -n or --expect it waits for replies.',
    )
    .argument('<address>', 'where to send: 127.0.0.1:8000, [::1]:8000, name:8000, 8000')
    .argument('[message...]', 'messages, each one datagram')
    .addHelpText('after', EXAMPLES);
  addOptions(command, sendOptions());
  command.action(async (address: string, messages: string[], values: SendValues) => {
    await run(await planSend(address, messages, values, io));
  });
}

async function planSend(address: string, messages: readonly string[], values: SendValues, io: Io): Promise<SendPlan> {
  checkShared(values, io);
  const { expect, expectExact: exact, expectRegex: regex, expectSize: size, ...rest } = values;
  const destination = readDestination(address, messages, values);
  const source = values.bind === undefined ? undefined : readBind(values.bind, parseSourceAddress, values);
  if (source !== undefined) checkSource(source, destination, values);
  const expectations = await readExpectations({ expect, exact, regex, size }, values, io);
  const from = planMessages(messages, values, io);
  const judged = isJudged(values, from, expectations);
  checkWaiting(values, judged);
  checkRetry(values, from);
  return {
    ...rest,
    destination,
    source,
    messages: from,
    expectations,
    judged,
    waitMs: planWait(values, from, judged),
  };
}

function planWait({ wait, deadline }: SendValues, messages: MessageSource, judged: boolean): number | undefined {
  if (wait !== undefined) return wait;
  if (messages.kind === 'typing') return TYPING_WAIT_MS;
  if (!judged) return 0;
  return deadline === undefined ? DEFAULT_WAIT_MS : undefined;
}

const DEFAULT_WAIT_MS = 2000;
const TYPING_WAIT_MS = 1000;
const DEFAULT_INTERVAL_MS = 1000;
/** How long after the deadline what came before it may take to be written. */
const LAST_WRITES_MS = 50;

function readDestination(text: string, messages: readonly string[], values: SendValues): Address {
  const read = (): Address => readAddress(text, (written) => checkDestination(parseAddress(written)), values);
  const [port] = messages;
  // What netcat's users write.
  if (port === undefined || !/^\d{1,5}$/.test(port) || /:\d+$|^\d+$/.test(text)) return read();
  try {
    return read();
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(error.message.replace(/:PORT$/, `:${port}`));
    throw error;
  }
}

async function readExpectations(
  written: {
    readonly expect: SendValues['expect'];
    readonly exact: SendValues['expectExact'];
    readonly regex: SendValues['expectRegex'];
    readonly size: SendValues['expectSize'];
  },
  { encoding }: SendValues,
  io: Io,
): Promise<readonly Expectation[]> {
  const read = async (name: string, text: string, make: (bytes: Uint8Array) => Expectation | Promise<Expectation>) => {
    checkUtf8(text, `option '${name}'`, io);
    try {
      return await make(Buffer.from(text, 'utf8'));
    } catch (error) {
      if (!(error instanceof EncodingError)) throw error;
      throw new UsageError(`option '${name}' cannot be read from ${JSON.stringify(text)}: ${error.message}`);
    }
  };
  const { expect = [], exact, regex = [], size } = written;
  const expectations = [
    ...expect.map((text) => read('--expect', text, (bytes) => expectContains(bytes, encoding))),
    ...(exact === undefined ? [] : [read('--expect-exact', exact, (bytes) => expectExact(bytes, encoding))]),
    ...regex.map((text) => read('--expect-regex', text, () => expectRegex(text))),
  ];
  return [...(await Promise.all(expectations)), ...(size === undefined ? [] : [expectSize(size)])];
}

function planMessages(messages: readonly string[], values: SendValues, io: Io): MessageSource {
  const sources = [
    ...(messages.length > 0 ? ['messages as arguments'] : []),
    ...(values.file === undefined ? [] : ['--file']),
    ...(values.size === undefined ? [] : ['--size']),
    ...(values.frame === undefined ? [] : ['--frame, which cuts stdin']),
  ];
  if (sources.length > 1) throw new UsageError(`messages come from one source only, not from ${sources.join(' and ')}`);
  if (messages.length > 0) {
    const payloads = messages.map((text) => readPayload(text, values.encoding, 'the message', io));
    return { kind: 'payloads', payloads };
  }
  if (values.file !== undefined) return { kind: 'files', paths: values.file };
  if (values.size !== undefined) return { kind: 'generated', bytes: values.size };
  const repeats = values.count !== undefined || values.duration !== undefined || values.retry !== undefined;
  const typing = !repeats && values.frame === undefined && io.terminals.stdin && io.isForeground();
  if (typing) return { kind: 'typing' };
  return { kind: 'stream', format: { frame: values.frame ?? { kind: 'lines' }, encoding: values.encoding } };
}

function isJudged(values: SendValues, messages: MessageSource, expectations: readonly Expectation[]): boolean {
  const { wait, replies, retry, anySource } = values;
  if (replies !== undefined || expectations.length > 0) return true;
  if (messages.kind === 'typing') return false;
  return retry !== undefined || anySource === true || (wait !== undefined && wait > 0);
}

function checkWaiting({ wait }: SendValues, judged: boolean): void {
  if (wait === 0 && judged) {
    throw new UsageError("option '-w, --wait' 0 waits for no reply, and other options ask for one; give it a time");
  }
}

function checkRetry(
  { retry, count, duration, replies }: Pick<SendValues, 'retry' | 'count' | 'duration' | 'replies'>,
  messages: MessageSource,
): void {
  if (retry === undefined) return;
  const repeats = (count ?? 1) > 1 || duration !== undefined;
  const several =
    (messages.kind === 'payloads' && messages.payloads.length > 1) ||
    (messages.kind === 'files' && messages.paths.length > 1);
  const manyReplies = typeof replies === 'number' && replies > 1;
  if (repeats || several || manyReplies) {
    throw new UsageError(
      "option '--retry' is for one message and one reply: a second answer to one request could not be told from another's",
    );
  }
}

/** Sends, waits and judges; resolves to the exit status, or to the signal by which to end. */
export async function runSend(plan: SendPlan, context: Context): Promise<Ending> {
  const interruption = new Interruption(context.stop, plan.deadline);
  const output = new Output(plan, context, new Totals(), () => {
    interruption.interrupt('stdout');
  });
  interruption.signal.addEventListener('abort', () => {
    if (interruption.reason !== 'deadline') return;
    context.leaveAtOnce();
    const abandon = (): void => {
      output.writer.abandon();
    };
    // What nobody reads must not hold up the end, and what came at the last moment is still to be written.
    if (context.stdout.writableLength > 0) abandon();
    else new Alarm(abandon).set(LAST_WRITES_MS);
  });
  let status: ExitCode;
  try {
    const verdict = await converse(plan, context, output, interruption);
    await output.written();
    status = output.writer.failure === undefined ? exitCodeOf(verdict) : output.writerFailure();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    if (error !== interruption) output.failure(error);
    else if (interruption.reason === 'deadline') {
      output.failure(
        new LocalFailure(`the deadline of ${formatDuration(plan.deadline ?? 0)} came before everything was sent`),
      );
    }
    output.finish();
    const queueFull = error instanceof DatagramError && error.code === 'QUEUE_FULL';
    status = queueFull ? ExitCode.dropped : ExitCode.failure;
  } finally {
    interruption.stop();
  }
  return interruption.reason === 'signal' ? (context.stop.reason as StopSignal) : status;
}

/** The conversation itself, from the name to the verdict. */
async function converse(
  plan: SendPlan,
  context: Context,
  output: Output,
  interruption: Interruption,
): Promise<Verdict> {
  const family = familyOption(plan) ?? familyOfSource(plan);
  const candidates = await interruption.orThrow(resolveAddress(plan.destination, family));
  const limitBytes = MAX_PAYLOAD_BYTES[familyOf(candidates[0].address)];
  const messages = await interruption.orThrow(prepareMessages(plan, context, limitBytes));
  const judge = new Judge(plan.expectations);
  await using exchange = await Exchange.open({
    candidates,
    client: { ...socketOptions(plan), localAddress: plan.source },
    listens: plan.judged || plan.messages.kind === 'typing',
    anySource: plan.anySource === true,
    judge,
    replies: plan.replies ?? 'as-sent',
    idleMs: plan.idle,
    events: exchangeEvents(plan, context, output),
  });
  output.begin({ bound: exchange.local, meta: exchange.hearsEverybody });
  reportBuffers(plan, exchange.client.kernelBuffers, context);
  context.log.debug(`sending from ${formatEndpoint(exchange.local)} to ${formatEndpoint(exchange.remote)}`);
  try {
    const waits = await sendMessages(plan, context, { messages, exchange, interruption });
    if (waits) await awaitReplies(plan, { messages, exchange, interruption });
    else if (!plan.judged) await exchange.checkRefusal();
    if (exchange.failure !== undefined) throw exchange.failure;
  } finally {
    await exchange[Symbol.asyncDispose]();
    output.totals.sent = exchange.transmitted;
    output.totals.received = exchange.received;
  }
  const mustSend = interruption.reason === undefined && (plan.judged || messages !== 'typing');
  if (mustSend && exchange.sent === 0) throw new LocalFailure('there was nothing to send');
  return conclude(plan, context, { output, exchange, judge, interruption });
}

/** The only family that can be reached from the source, if it is an address: of a name's others none is a candidate. */
function familyOfSource({ source }: SendPlan): Family | undefined {
  return source?.host.kind === 'literal' ? familyOf(source.host.address) : undefined;
}

/** What is to be sent: known before the first datagram leaves, or a stream of what comes. */
type Messages = readonly Uint8Array[] | AsyncGenerator<readonly Uint8Array[], undefined> | 'typing';

async function prepareMessages(plan: SendPlan, context: Context, limitBytes: number): Promise<Messages> {
  const { messages: source, count = 1, retry } = plan;
  if (source.kind === 'typing') return 'typing';
  if (source.kind !== 'stream') return loadMessages(source, limitBytes);
  if (count === 1 && retry === undefined) return streamMessages(context.stdin, source.format, limitBytes);
  const messages = await collectMessages(context.stdin, source.format, limitBytes);
  checkRetry(plan, { kind: 'payloads', payloads: messages });
  return messages;
}

function exchangeEvents(plan: SendPlan, context: Context, output: Output): ExchangeEvents {
  const { log } = context;
  return {
    replies: (batch) => output.writer.write(batch),
    strays: (batch) => {
      for (const { remote, data } of batch) {
        const from = formatEndpoint(remote);
        output.totals.strays += 1;
        if (output.totals.strays <= MAX_STRAY_LINES) {
          log.warn(`${from} sent ${data.length} bytes, and is not the address asked: left out (--any-source)`, {
            from,
          });
        }
        output.event({ type: 'stray', from, size: data.length, ...payloadFields(data) });
      }
    },
    peerError: (error) => {
      output.peerError(error, plan.messages.kind === 'typing' ? 'warn' : 'debug');
    },
    nextAddress: (refused, next, why) => {
      log.debug(`${why.message}; trying ${formatEndpoint(next)}`, { address: formatEndpoint(refused) });
    },
    dropped: (count) => {
      output.queueDropped(count);
    },
  };
}

/** Strays that are told one by one; a flood of them is only counted. */
const MAX_STRAY_LINES = 10;

interface Conversation {
  readonly messages: Messages;
  readonly exchange: Exchange;
  readonly interruption: Interruption;
}

/** Sends everything, by the clock if it is to be repeated; false if the run is over before there is anything to wait for. */
async function sendMessages(plan: SendPlan, context: Context, conversation: Conversation): Promise<boolean> {
  const { messages, exchange, interruption } = conversation;
  try {
    if (messages === 'typing') await sendTyped(plan, context, conversation);
    else if (Symbol.asyncIterator in messages) await sendStream(plan, context, messages, conversation);
    else await sendRounds(plan, messages, conversation);
  } catch (error) {
    if (error !== interruption) throw error;
  }
  if (interruption.reason === 'deadline') throw interruption;
  if (interruption.reason !== undefined) return false;
  return (plan.judged || messages === 'typing') && exchange.sent > 0;
}

async function sendRounds(
  { count, duration, interval = DEFAULT_INTERVAL_MS }: SendPlan,
  messages: readonly Uint8Array[],
  { exchange, interruption }: Conversation,
  { startMs, firstRound } = { startMs: performance.now(), firstRound: 0 },
): Promise<void> {
  const { signal } = interruption;
  const rounds = count ?? (duration === undefined ? 1 : Infinity);
  const endMs = startMs + (duration ?? Infinity);
  for (let round = firstRound; round < rounds && messages.length > 0; round += 1) {
    const dueMs = startMs + round * interval;
    const nowMs = performance.now();
    // A round that is a little late still belongs to its time; rounds that cannot be kept up with would never end.
    const tooLate = nowMs >= endMs && nowMs - dueMs >= interval;
    if (round > 0 && (dueMs >= endMs || tooLate)) return;
    // A timer takes a millisecond, even for a time that has passed.
    if (dueMs > nowMs) await waitUntil(dueMs, signal);
    if (signal.aborted) return;
    await interruption.orThrow(exchange.send(messages));
  }
}

/** Of a stream so many messages are sent before it is asked again whether enough replies came. */
const MESSAGES_PER_SEND = 64;

async function sendStream(
  plan: SendPlan,
  { stdin, log }: Context,
  messages: AsyncGenerator<readonly Uint8Array[], undefined>,
  conversation: Conversation,
): Promise<void> {
  const { exchange, interruption } = conversation;
  const startMs = performance.now();
  const timeOver = new AbortController();
  const duration = new Alarm(() => {
    timeOver.abort('over');
  });
  if (plan.duration !== undefined) duration.set(plan.duration);
  const kept = new KeptMessages();
  const ends = [exchange.enough, interruption.signal, timeOver.signal];
  try {
    for (;;) {
      const batch = await unlessAborted(messages.next(), ends, () => undefined);
      if (batch === undefined || batch.done === true) break;
      if (plan.duration !== undefined) kept.add(batch.value);
      for (let from = 0; from < batch.value.length && !exchange.enough.aborted; from += MESSAGES_PER_SEND) {
        await interruption.orThrow(exchange.send(batch.value.slice(from, from + MESSAGES_PER_SEND)));
      }
    }
  } finally {
    duration.stop();
    // An open stdin would keep the process from ending.
    stdin.destroy();
  }
  // What ended before its time is repeated until the time is over.
  if (plan.duration !== undefined && !ends.some(({ aborted }) => aborted)) {
    await sendRounds(plan, kept.all(), conversation, { startMs, firstRound: 1 });
  }
  if (exchange.enough.aborted && exchange.failure === undefined)
    log.info('enough replies came: the rest of the input was not sent');
}

async function sendTyped(
  plan: SendPlan,
  { stdin, log }: Context,
  { exchange, interruption }: Conversation,
): Promise<void> {
  await new Promise<void>((resolve) => {
    let sending = Promise.resolve();
    const finish = (): void => {
      reader.stop();
      void sending.then(resolve);
    };
    const reader = readTypedLines(stdin, plan.encoding, {
      line: (payload) => {
        sending = sending
          .then(() => exchange.send([payload]))
          .catch((error: unknown) => {
            log.warn(`not sent: ${error instanceof Error ? error.message : String(error)}`);
          });
      },
      bad: (error) => {
        log.warn(`not sent: ${error.message}`);
      },
      end: finish,
    });
    for (const signal of [exchange.enough, interruption.signal]) {
      if (signal.aborted) finish();
      else signal.addEventListener('abort', finish, { once: true });
    }
  });
}

/** Waits until enough replies came, nothing can come any more, or the time is over. */
async function awaitReplies(plan: SendPlan, conversation: Conversation): Promise<void> {
  const { messages, exchange, interruption } = conversation;
  const end = (): void => void exchange.endOnTime();
  interruption.signal.addEventListener('abort', end, { once: true });
  const [message] = Array.isArray(messages) ? (messages as readonly Uint8Array[]) : [];
  const waitMs = plan.waitMs ?? (plan.deadline ?? 0) - performance.now();
  await exchange.wait(waitMs, message, plan.retry);
  interruption.signal.removeEventListener('abort', end);
}

/** Tells what the conversation came to. */
function conclude(
  plan: SendPlan,
  { log }: Context,
  {
    output,
    exchange,
    judge,
    interruption,
  }: {
    readonly output: Output;
    readonly exchange: Exchange;
    readonly judge: Judge;
    readonly interruption: Interruption;
  },
): Verdict {
  const peer = formatEndpoint(exchange.remote);
  const verdict = plan.judged
    ? judge.verdict(exchange.wanted)
    : judge.refused && plan.messages.kind !== 'typing'
      ? 'refused'
      : 'ok';
  const { rttMs } = exchange;
  // Who interrupts the wait knows that it was not waited for long enough.
  if (verdict !== 'ok' && interruption.reason !== 'signal') {
    log.error(explain(verdict, plan, { exchange, judge }), { verdict, peer });
  }
  output.finish({
    type: 'verdict',
    verdict,
    replies: judge.matching,
    ...(rttMs !== undefined && { rttMs: Math.round(rttMs * 1000) / 1000 }),
    address: peer,
  });
  return verdict;
}

function explain(
  verdict: Exclude<Verdict, 'ok'>,
  { waitMs = Infinity, deadline = Infinity, idle = Infinity }: SendPlan,
  { exchange, judge }: { readonly exchange: Exchange; readonly judge: Judge },
): string {
  const peer = formatEndpoint(exchange.remote);
  const time = formatDuration(Math.min(waitMs, deadline, idle));
  switch (verdict) {
    case 'silent':
      return judge.matching === 0
        ? `${peer} did not answer within ${time}`
        : `${peer} gave ${judge.matching} of ${exchange.wanted} replies within ${time}`;
    case 'refused':
      return `${peer} refused: nobody listens there, or a firewall prohibits it`;
    case 'mismatch':
      return `the reply from ${formatEndpoint(exchange.mismatched ?? exchange.remote)} ${judge.mismatch ?? ''}`;
    case 'stray':
      return `${peer} did not answer within ${time}, but other addresses did (--any-source takes their replies)`;
  }
}
