import { statSync } from 'node:fs';
import type { ReplayFilter } from '../../record/replay-filter.js';
import { STDIN } from '../../exchange/plan.js';
import type { Address } from '../../net/index.js';
import { isSameFile } from '../../record/same-file.js';
import { UsageError } from '../../cli/usage-error.js';
import type { RecordTarget } from '../../record/target.js';

/** The options about a recording, and the options that a recording forbids. */
export interface ReplayValues {
  readonly replay: string | undefined;
  readonly replayFilter: ReplayFilter | undefined;
  readonly senders: 'one' | 'each' | undefined;
  readonly speed: number | undefined;
  readonly rate: number | undefined;
  readonly interval: number | undefined;
  readonly count: number | undefined;
  readonly duration: number | undefined;
  readonly retry: number | undefined;
  readonly replies: number | 'all' | undefined;
  readonly expectReplay: true | undefined;
  readonly record: RecordTarget | undefined;
  readonly join: readonly unknown[] | undefined;
}

/** Finds contradictions between `--replay` and other options. @throws {UsageError} */
export function checkReplay(values: ReplayValues, source: Address | undefined): void {
  const { replay, record, retry } = values;
  if (replay === undefined) {
    const { replayFilter, senders, speed, expectReplay } = values;
    const about = Object.entries({ '--replay-filter': replayFilter, '--senders': senders, '--speed': speed });
    const [alone] =
      [...about, ['--expect-replay', expectReplay] as const].find(([, value]) => value !== undefined) ?? [];
    if (alone !== undefined) throw new UsageError(`option '${alone}' is about a recording: add --replay`);
    return;
  }
  if (retry !== undefined) {
    throw new UsageError("option '--retry' is for one message and one reply, but a recording holds many: leave it out");
  }
  if (record?.kind === 'file' && isSameFile(record.path, pathOfReplay(replay))) {
    const name = replay === STDIN ? `${record.path}, which is stdin and` : `${replay}, which`;
    throw new UsageError(`option '--record' would write to ${name} is to be replayed: record to another file`);
  }
  checkPace(values);
  checkRepeats(values);
  checkAnswers(values);
  checkSenders(values, source);
}

function checkPace({ speed, rate, interval }: ReplayValues): void {
  const other = rate !== undefined ? '--rate' : interval !== undefined ? '--interval' : undefined;
  if (speed === undefined || other === undefined) return;
  throw new UsageError(`options '--speed' and '${other}' both say when the next datagram is sent: leave one out`);
}

/** Refuses to repeat a pipe. To repeat a recording, udpcat reads it again. */
function checkRepeats({ replay = '', count, duration }: ReplayValues): void {
  const option = count !== undefined && count > 1 ? '--count' : '--duration';
  const repeats = option === '--count' || (count === undefined && duration !== undefined);
  if (!repeats) return;
  const what = replay === STDIN ? 'stdin' : isPipe(replay) ? `${replay}, a pipe,` : undefined;
  if (what === undefined) return;
  throw new UsageError(
    `option '${option}' repeats the recording, and ${what} can be read only once: save it to a file${option === '--duration' ? ', or add --count 1' : ''}`,
  );
}

function checkAnswers({ expectReplay, replies, replayFilter, duration }: ReplayValues): void {
  if (expectReplay !== true) return;
  if (replies !== undefined) {
    throw new UsageError("option '--expect-replay' awaits as many replies as the recording has: leave out -n");
  }
  if (replayFilter === 'all') {
    throw new UsageError("option '--replay-filter all' sends the answers, too: no answer is left for --expect-replay");
  }
  if (duration !== undefined) {
    throw new UsageError("option '--expect-replay' awaits all answers of the recording: leave out --duration");
  }
}

function checkSenders({ senders, join = [] }: ReplayValues, source: Address | undefined): void {
  if (senders !== 'each') return;
  if (source !== undefined && source.port !== 0) {
    throw new UsageError("option '--senders each' needs a port for each sender: give --bind an address without a port");
  }
  if (join.length > 0) {
    throw new UsageError("option '--senders each' would join the group with each socket: leave out --join");
  }
}

/** The path that `--replay` reads. */
export function pathOfReplay(replay: string): string {
  return replay === STDIN ? '/dev/stdin' : replay;
}

/** Whether the path is a pipe. If it cannot be examined, opening it later gives the error. */
function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO();
  } catch {
    return false;
  }
}
