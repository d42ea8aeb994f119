import { type ActiveFault, activeFault } from '../../faults/active-fault.js';
import { parseBandwidth, passing } from '../../faults/bandwidth.js';
import { parseBlackhole } from '../../faults/blackhole.js';
import { parseBurstLoss } from '../../faults/burst-loss.js';
import type { Flow } from '../../faults/fault.js';
import { type Jitter, parseJitter } from '../../faults/jitter.js';
import { Line } from '../../faults/line.js';
import { parseNumbers } from '../../faults/lose.js';
import type { FaultName, FaultSettings } from '../../faults/table.js';
import { ValueError } from '../../net/errors.js';
import { parseDuration, parseDurationOrZero } from '../../text/duration.js';
import { parsePercentage } from '../../text/number.js';
import { parseSize } from '../../text/size.js';

/** The attributes of a toxic, as JSON has them. */
export type Attributes = Readonly<Record<string, unknown>>;

/** The effects of a toxic on the datagrams of its way, or on sessions. */
export interface Action {
  readonly faults: readonly ActiveFault[];
  /** Sessions get a new source port after this time again and again, in milliseconds. */
  readonly rebindMs?: number;
}

/** One type of toxics. */
export interface ToxicType {
  /** The attributes that need not be given. */
  readonly defaults: Attributes;
  /** @throws {ValueError} for wrong attributes */
  readonly act: (attributes: Attributes) => Action;
}

/** Reads an attribute that is text as on the command line, or a number. */
type Read<Value> = (value: unknown, name: string) => Value;

/** Makes a reader. @param ofNumber reads a number; default: it is read as its digits are */
function reader<Value>(
  parse: (text: string) => Value,
  ofNumber = (value: number) => parse(String(value)),
): Read<Value> {
  return (value, name) => {
    try {
      if (typeof value === 'string') return parse(value);
      if (typeof value === 'number') return ofNumber(value);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      throw new ValueError(`attribute "${name}": ${error.message}`);
    }
    throw new ValueError(`attribute "${name}" must be ${value === undefined ? 'given' : 'a number or text'}`);
  };
}

/** Reads a value or a list of values. */
function listOf<Value>(read: Read<Value>): Read<readonly Value[]> {
  return (value, name) => (Array.isArray(value) ? value : [value]).map((each) => read(each, name));
}

const readShare = reader(parsePercentage, (value) => {
  if (value >= 0 && value <= 1) return value;
  throw new ValueError('A share is from 0 to 1, or a percentage as text.');
});
const readMs = reader(parseDuration, (value) => parseDuration(`${value}ms`));
const readMsOrZero = reader(parseDurationOrZero, (value) => parseDurationOrZero(`${value}ms`));
const readJitter = reader<Jitter | undefined>(
  (text) => (/^0+(ms|s)?$/.test(text) ? undefined : parseJitter(text)),
  (value) => (value === 0 ? undefined : parseJitter(`${value}ms`)),
);

/** A whole number from 0. */
const readWhole: Read<number> = (value, name) => {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new ValueError(`attribute "${name}" must be a whole number from 0`);
};

/** A toxic that is a fault of the command line. Its one attribute has the name of the toxic. */
function single<Name extends FaultName>(
  type: string,
  fault: Name,
  read: Read<Exclude<FaultSettings[Name], undefined>>,
): ToxicType {
  return { defaults: {}, act: (attributes) => ({ faults: [activeFault(fault, read(attributes[type], type))] }) };
}

/** Loses all datagrams, for a time in milliseconds; 0: without end. */
function timeout(forMs: number): ActiveFault {
  const untilMs = forMs === 0 ? Infinity : performance.now() + forMs;
  return {
    name: 'timeout',
    setting: forMs,
    create: () => (fate) => {
      if (performance.now() < untilMs) fate.lostBy = 'blackhole';
    },
  };
}

/** Lets pass only so many bytes of each session. */
function limitData(most: number): ActiveFault {
  const passed = new WeakMap<Flow, number>();
  return {
    name: 'limitData',
    setting: most,
    create:
      () =>
      (fate, { flow, bytes }) => {
        if (flow === undefined || fate.lostBy !== undefined) return;
        const sum = (passed.get(flow) ?? 0) + bytes;
        if (sum > most) fate.lostBy = 'limitData';
        else passed.set(flow, sum);
      },
  };
}

/** A line that carries so many kB of payload a second. toxiproxy, too, takes 0 for no line. */
function payloadLine(rate: number): readonly ActiveFault[] {
  if (rate === 0) return [];
  const bitsPerSecond = rate * 8000;
  return [{ name: 'bandwidth', setting: bitsPerSecond, create: () => passing(new Line(bitsPerSecond, false)) }];
}

/** The types of toxics by their names. The first five have the attributes of toxiproxy. */
export const TOXIC_TYPES: Readonly<Record<string, ToxicType>> = {
  latency: {
    defaults: { latency: 0, jitter: 0 },
    act: ({ latency, jitter }) => {
      const delayMs = readMsOrZero(latency, 'latency');
      const around = readJitter(jitter, 'jitter');
      return {
        faults: [
          ...(delayMs === 0 ? [] : [activeFault('delay', delayMs)]),
          ...(around === undefined ? [] : [activeFault('jitter', around)]),
        ],
      };
    },
  },
  bandwidth: {
    defaults: { rate: 0 },
    act: ({ rate, bandwidth }) => {
      if (bandwidth === undefined) return { faults: payloadLine(readWhole(rate, 'rate')) };
      return { faults: [activeFault('bandwidth', reader(parseBandwidth)(bandwidth, 'bandwidth'))] };
    },
  },
  timeout: {
    defaults: { timeout: 0 },
    act: (attributes) => ({ faults: [timeout(readMsOrZero(attributes.timeout, 'timeout'))] }),
  },
  limit_data: {
    defaults: { bytes: 0 },
    act: ({ bytes }) => ({ faults: [limitData(readWhole(bytes, 'bytes'))] }),
  },
  packet_loss: {
    defaults: { loss_rate: 0 },
    act: (attributes) => ({ faults: [activeFault('loss', readShare(attributes.loss_rate, 'loss_rate'))] }),
  },
  burst_loss: single('burst_loss', 'burstLoss', reader(parseBurstLoss)),
  duplicate: single('duplicate', 'duplicate', readShare),
  reorder: single('reorder', 'reorder', readShare),
  corrupt: single('corrupt', 'corrupt', readShare),
  truncate: single('truncate', 'truncate', readShare),
  max_size: single('max_size', 'maxSize', reader(parseSize)),
  lose: single('lose', 'lose', listOf(reader(parseNumbers))),
  line_queue: single('line_queue', 'lineQueue', readMs),
  blackhole: single('blackhole', 'blackhole', listOf(reader(parseBlackhole))),
  rebind: {
    defaults: {},
    act: ({ rebind }) => ({ faults: [], rebindMs: readMs(rebind, 'rebind') }),
  },
};

/** Types of toxiproxy that say nothing about datagrams. */
export const TCP_TYPES: ReadonlySet<string> = new Set(['slicer', 'slow_close', 'reset_peer']);
