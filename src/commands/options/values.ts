import { isIPv6, SocketAddress } from 'node:net';
import { InvalidArgumentError } from 'commander';
import type { SizeRange } from '../../check/expectation.js';
import type { BurstLossParameters } from '../../faults/burst-loss.js';
import type { Jitter } from '../../faults/fates.js';
import type { Blackhole } from '../../faults/faults.js';
import { type Cidr, parseCidr } from '../../guard/access-list.js';
import type { Frame } from '../../input/framing.js';
import type { ReplayFilter } from '../../record/replay.js';
import { parseSourceAddress } from '../../net/address/endpoint.js';
import { DatagramError, type Membership, parseMembership } from '../../net/index.js';

/** What a shell can offer for a value: files, interfaces of this host, probes, or words, of which one may be the start of a value. */
export type Completes = 'file' | 'interface' | 'probe' | readonly string[];

/** Reads a value; knows, beside that, what a shell can offer for it, if there is anything to offer. */
export type Parser<Value> = ((text: string) => Value) & { readonly completes?: Completes };

function completing<Value>(completes: Completes, parse: (text: string) => Value): Parser<Value> {
  return Object.assign(parse, { completes });
}

const MS_OF_UNIT: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Reads `250ms`, `2s`, `1.5s`, `3m`, `1h` or a bare number of seconds, above 0, as milliseconds. */
export function parseDuration(text: string): number {
  const ms = readDuration(text);
  if (ms === undefined || ms === 0) {
    throw new InvalidArgumentError('A duration above 0 is 250ms, 2s, 1.5s, 3m, 1h, or a number of seconds.');
  }
  return ms;
}

/** Reads a duration as {@link parseDuration} does, or 0. */
export function parseDurationOrZero(text: string): number {
  const ms = readDuration(text);
  if (ms === undefined) {
    throw new InvalidArgumentError('A duration is 0, 250ms, 2s, 1.5s, 3m, 1h, or a number of seconds.');
  }
  return ms;
}

/** Milliseconds to the nearest microsecond, so that what was written in decimals is what is shown. */
function readDuration(text: string): number | undefined {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const micros = Math.round(Number(number) * (MS_OF_UNIT[unit] ?? NaN) * 1000);
  return Number.isSafeInteger(micros) ? micros / 1000 : undefined;
}

const BYTES_OF_UNIT: Readonly<Record<string, number>> = {
  '': 1,
  k: 1000,
  M: 1_000_000,
  Ki: 1024,
  KiB: 1024,
  Mi: 1_048_576,
  MiB: 1_048_576,
};

/** Reads `1400`, `64k`, `1M` (powers of 1000), `64Ki`, `64KiB`, `1Mi` or `1MiB` (of 1024) as bytes, at least 1. */
export function parseSize(text: string): number {
  const bytes = readSize(text);
  if (bytes === undefined || bytes < 1) {
    throw new InvalidArgumentError('A size from 1 is bytes such as 1400, 64k, 1M, 64Ki or 1MiB.');
  }
  return bytes;
}

/** Reads the size of a file as {@link parseSize} does, or `2G`, `2Gi` or `2GiB`. */
export function parseFileSize(text: string): number {
  const [, number, unit = ''] = /^(\d+)(G|GiB?)$/.exec(text) ?? [];
  const bytes = number === undefined ? readSize(text) : Number(number) * (unit === 'G' ? 1e9 : 1024 ** 3);
  if (bytes === undefined || bytes < 1 || !Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError('A size of files is bytes from 1, such as 64k, 100M, 2G, 64Ki or 2GiB.');
  }
  return bytes;
}

/** What `setsockopt` takes as an int, and Linux doubles. */
const MAX_BUFFER_BYTES = 0x3fff_ffff;

/** Reads the size of a kernel buffer as {@link parseSize} does, below 1 GiB. */
export function parseBufferSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes > MAX_BUFFER_BYTES)
    throw new InvalidArgumentError('A buffer is smaller than 1024Mi, as in 64k, 1M or 4MiB.');
  return bytes;
}

/** Reads a size as {@link parseSize} does, or 0. */
export function parseSizeOrZero(text: string): number {
  const bytes = readSize(text);
  if (bytes === undefined) throw new InvalidArgumentError('A size is bytes such as 0, 1400, 64k, 1M, 64Ki or 1MiB.');
  return bytes;
}

function readSize(text: string): number | undefined {
  const [, number, unit = ''] = /^(\d+)(k|M|Ki|KiB|Mi|MiB)?$/.exec(text) ?? [];
  if (number === undefined) return undefined;
  const bytes = Number(number) * (BYTES_OF_UNIT[unit] ?? NaN);
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** Reads the bounds of a size: `5`, `5..`, `..9` or `5..9`. */
export function parseSizeRange(text: string): SizeRange {
  const [, from = '', dots, to = ''] = /^([^.]*)(\.\.)?([^.]*)$/.exec(text) ?? [];
  const min = readSize(from);
  const max = dots === undefined ? min : readSize(to);
  const wellFormed =
    (from === '' || min !== undefined) && (to === '' || max !== undefined) && (from !== '' || to !== '');
  if (!wellFormed || (min !== undefined && max !== undefined && min > max)) {
    throw new InvalidArgumentError('A size in bytes is 5, 5.., ..9 or 5..9.');
  }
  return { ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

/** Reads a whole number from 1. */
export function parseCount(text: string): number {
  return parseInteger(text, 1, Number.MAX_SAFE_INTEGER, 'A count is a whole number from 1.');
}

/** Reads a hop limit, 1 to 255. */
export function parseTtl(text: string): number {
  return parseInteger(text, 1, 255, 'A hop limit is a whole number from 1 to 255.');
}

/** Reads a differentiated services code point. */
export function parseDscp(text: string): number {
  return parseInteger(text, 0, 63, 'A code point is a whole number from 0 to 63, such as 46 for expedited forwarding.');
}

function parseInteger(text: string, least: number, most: number, accepted: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (!Number.isInteger(value) || value < least || value > most) throw new InvalidArgumentError(accepted);
  return value;
}

/** Reads a count of replies, or `all`. */
export const parseReplies = completing(['all'], (text): number | 'all' =>
  text === 'all'
    ? 'all'
    : parseInteger(text, 1, Number.MAX_SAFE_INTEGER, 'Replies are a whole number from 1, or "all".'),
);

const FACTOR_OF_UNIT: Readonly<Record<string, number>> = { '': 1, k: 1000, M: 1_000_000 };

/** Reads `1000/s`, `50k/s`, a bare number or `max` as events a second; `max` is Infinity. */
export const parseRate = completing(['max'], (text): number => {
  if (text === 'max') return Infinity;
  const [, number, unit = ''] = /^(\d+(?:\.\d+)?)(?:(k|M)?\/s)?$/.exec(text) ?? [];
  const perSecond = number === undefined ? 0 : Number(number) * (FACTOR_OF_UNIT[unit] ?? NaN);
  if (!(perSecond > 0 && perSecond < Infinity))
    throw new InvalidArgumentError('A rate is 1000/s, 50k/s, a number a second, or max.');
  return perSecond;
});

/** Reads `5%` or `0.1%`, from 0% to 100%, as a fraction of 1. */
export function parsePercentage(text: string): number {
  const fraction = readPercentage(text);
  if (fraction === undefined) throw new InvalidArgumentError('A percentage from 0% to 100% is 5% or 0.1%.');
  return fraction;
}

function readPercentage(text: string): number | undefined {
  const [, number] = /^(\d+(?:\.\d+)?)%$/.exec(text) ?? [];
  const fraction = Number(number) / 100;
  return fraction <= 1 ? fraction : undefined;
}

/** Reads `p:r`, `p:r:k` or `p:r:k:h`, percentages; without k and h everything passes between bursts, and nothing in them. */
export function parseBurstLoss(text: string): BurstLossParameters {
  const parts = text.split(':').map(readPercentage);
  const [p, r, k = 1, h = 0] = parts;
  if (p === undefined || r === undefined || parts.includes(undefined) || parts.length > 4) {
    throw new InvalidArgumentError('A burst loss is p:r, p:r:k or p:r:k:h, such as 1%:25% or 1%:25%:100%:10%.');
  }
  return { p, r, k, h };
}

/** Reads a duration above 0, and after a colon `uniform` or `normal`. */
export function parseJitter(text: string): Jitter {
  const [written = '', distribution = 'uniform', ...more] = text.split(':');
  const ms = readDuration(written) ?? 0;
  if (ms === 0 || (distribution !== 'uniform' && distribution !== 'normal') || more.length > 0) {
    throw new InvalidArgumentError('A jitter is a duration above 0, such as 5ms, 5ms:uniform or 5ms:normal.');
  }
  return { ms, distribution };
}

/** Reads a time since the start: `2s..5s`, `..5s`, or `2s..` for one without end. */
export function parseBlackhole(text: string): Blackhole {
  const [, from = '', to = ''] = /^([^.]*(?:\.\d[^.]*)?)\.\.(.*)$/.exec(text) ?? [];
  const fromMs = from === '' ? 0 : readDuration(from);
  const toMs = to === '' ? Infinity : readDuration(to);
  if (from + to === '' || fromMs === undefined || toMs === undefined || fromMs >= toMs) {
    throw new InvalidArgumentError('A blackhole is 2s..5s, 2s.. or ..5s, counted from the start.');
  }
  return { fromMs, toMs };
}

/** Reads a seed, 0 to 4294967295. */
export function parseSeed(text: string): number {
  return parseInteger(text, 0, 0xffff_ffff, 'A seed is a whole number from 0 to 4294967295.');
}

const PLAIN_FRAMES = ['lines', 'null', 'whole', 'length', 'json'] as const;

/** Reads the name of a frame. */
export const parseFrame = completing([...PLAIN_FRAMES, 'chunk:'], (text): Frame => {
  const plain = PLAIN_FRAMES.find((kind) => kind === text);
  if (plain !== undefined) return { kind: plain };
  const bytes = text.startsWith('chunk:') ? readSize(text.slice('chunk:'.length)) : undefined;
  if (bytes === undefined || bytes < 1) {
    throw new InvalidArgumentError('A frame is lines, null, whole, chunk:N (N bytes from 1), length or json.');
  }
  return { kind: 'chunk', bytes };
});

/** Where a recording goes, and how it is written. `stdout` is pcap. */
export type RecordTarget =
  { readonly kind: 'stdout' } | { readonly kind: 'file'; readonly path: string; readonly format: 'pcap' | 'jsonl' };

/** Reads where a recording goes, by the end of its name. */
export const parseRecordTarget = completing('file', (text): RecordTarget => {
  if (text === '-') return { kind: 'stdout' };
  const [, format] = /[^/]\.(pcap|jsonl)$/.exec(text) ?? [];
  if (format !== 'pcap' && format !== 'jsonl') {
    throw new InvalidArgumentError('A recording is a file that ends in .pcap or .jsonl, or - for pcap on stdout.');
  }
  return { kind: 'file', path: text, format };
});

/** Reads how fast a recording is replayed: a factor above 0, such as 2 or 0.5, or `max`, which is Infinity. */
export const parseSpeed = completing(['max'], (text): number => {
  if (text === 'max') return Infinity;
  const factor = /^\d+(\.\d+)?x?$/.test(text) ? Number.parseFloat(text) : 0;
  if (!(factor > 0 && factor < Infinity))
    throw new InvalidArgumentError('A speed is a factor such as 2 or 0.5, or max.');
  return factor;
});

/** Reads `src` or `dst` and an address, a port or both: `dst 192.0.2.1:53`, `src 192.0.2.1`, `src [2001:db8::1]`, `dst 53`. */
export function parseReplayFilter(text: string): ReplayFilter {
  if (text === 'all') return text;
  const [, end, written = ''] = /^(src|dst)[ =](.+)$/s.exec(text) ?? [];
  const recorded = end === undefined ? undefined : parseRecordedEnd(written);
  if ((end === 'src' || end === 'dst') && recorded !== undefined) return { end, ...recorded };
  throw new InvalidArgumentError(
    'A filter is "src" or "dst", and an address, a port or both, as in "dst 192.0.2.1:53". "all" takes everything.',
  );
}

/** Reads an address, a port or both, as a recording of any host may have them; undefined for anything else. */
function parseRecordedEnd(text: string): { address: string | undefined; port: number | undefined } | undefined {
  try {
    if (/^\d+$/.test(text)) return { address: undefined, port: parseSourceAddress(text).port };
    const [, inBrackets = text, portAfter = '0'] = /^\[(.+)\](?::(\d+))?$/s.exec(text) ?? [];
    const [, ipv6 = '', zone = ''] = /^([\da-f:.]+)(%[^\s%/]{1,15})?$/i.exec(inBrackets) ?? [];
    if (!isIPv6(ipv6)) {
      const { host, port } = parseSourceAddress(text);
      return host.kind === 'literal' ? { address: host.address, port: port === 0 ? undefined : port } : undefined;
    }
    const { port } = parseSourceAddress(portAfter);
    // Here the wildcard and link-local addresses are as good as others, the latter with another host's zone or none.
    const { address } = new SocketAddress({ address: ipv6, family: 'ipv6' });
    const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1];
    return { address: mapped ?? `${address}${zone}`, port: port === 0 ? undefined : port };
  } catch (error) {
    if (error instanceof DatagramError) return undefined;
    throw error;
  }
}

/** Reads a block of addresses. */
export function parseAddressBlock(text: string): Cidr {
  const block = parseCidr(text);
  if (block === undefined) {
    throw new InvalidArgumentError('An address block is 192.0.2.0/24, 2001:db8::/32, or one address.');
  }
  return block;
}

/** A parser for one word out of several. */
export function oneOf<const Word extends string>(words: readonly Word[]): Parser<Word> {
  return completing(words, (text) => {
    const word = words.find((candidate) => candidate === text);
    if (word === undefined) throw new InvalidArgumentError(`It is one of ${words.join(', ')}.`);
    return word;
  });
}

/** Text that is taken as it stands. */
export function parseText(text: string): string {
  return text;
}

/** The name of a file, taken as it stands. */
export const parsePath = completing('file', (text) => text);

/** The name of an interface, taken as it stands. */
export const parseInterfaceName = completing('interface', (text) => text);

/** Reads a multicast group, with its interface and source where they are named. */
export function parseJoin(text: string): Membership {
  try {
    return parseMembership(text);
  } catch (error) {
    if (!(error instanceof DatagramError)) throw error;
    throw new InvalidArgumentError(
      'A group is a multicast address such as 239.1.2.3 or ff02::4242%eth0, after one source and @ if only that is to be heard.',
    );
  }
}

/** The name of a probe and its arguments, taken as they stand. */
export const parseProbeText = completing('probe', (text) => text);
