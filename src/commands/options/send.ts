import { parseSizeRange } from '../../check/expectation.js';
import { flag, grouped, option, repeatable, type ValuesOf } from '../../cli/options.js';
import { parseFrame } from '../../input/framing.js';
import { parseReplayFilter } from '../../record/replay-filter.js';
import { NUMBERINGS } from '../../run/exit-code.js';
import { parseDuration, parseDurationOrZero } from '../../text/duration.js';
import { parseCount, parseInteger, parseRate, parseSpeed } from '../../text/number.js';
import { parseSizeOrZero } from '../../text/size.js';
import { completing, oneOf, parsePath, parseText } from '../../text/value.js';
import { sharedOptions } from './shared.js';

/** All options of `udpcat send`. */
export function sendOptions() {
  return {
    ...grouped('Messages:', {
      file: repeatable('--file <path>', 'send the contents of a file as one datagram; - is stdin', parsePath),
      size: option('--size <n>', 'send a generated payload of n bytes', parseSizeOrZero),
      frame: option(
        '--frame <frame>',
        'how stdin is cut into datagrams: lines, null, whole, chunk:N, length, json',
        parseFrame,
      ),
      probe: option(
        '--probe <name[:args]>',
        'send the request of a known protocol and judge its reply; list shows them, help:NAME tells of one',
        parseProbeText,
      ),
      replay: option(
        '--replay <file>',
        'send the datagrams of a recording (pcap, pcapng, jsonl, also in gzip or zstd), with its timing; - is stdin',
        parsePath,
      ),
      replayFilter: option(
        '--replay-filter <filter>',
        'which of it: src or dst, and an address, a port or both, or all (default: what went where its first datagram did)',
        parseReplayFilter,
      ),
      senders: option(
        '--senders <one|each>',
        'replay from one socket, or from a socket for each recorded sender, at most 1024 (default: one)',
        oneOf(['one', 'each']),
      ),
      speed: option('--speed <x|max>', 'how fast it is replayed: 2 is twice as fast, max without pauses', parseSpeed),
      interval: option(
        '--interval <d>',
        'time from one round of --count to the next (default: 1s), or between the datagrams of a recording',
        parseDuration,
      ),
      rate: option('--rate <r>', 'datagrams a second instead: 1000/s, 50k/s, or max for full speed', parseRate),
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
      expectReplay: flag('--expect-replay', 'the replies must be the answers that the recording holds'),
      retry: option('--retry <n>', 'send again n times over the wait until a matching reply comes', parseCount),
      deadline: option('--deadline <d>', 'bound on everything, from start to exit', parseDuration),
      anySource: flag('--any-source', 'take replies from any address, and show whose they are'),
    }),
    ...grouped('Verdict:', {
      exitCode: option(
        '--exit-code <numbering>',
        `whose exit statuses: ${NUMBERINGS.join(', ')} (one plugin line on stdout)`,
        oneOf(NUMBERINGS),
        'udpcat',
      ),
      warn: option('--warn <d>', 'a slower reply is a warning to nagios', parseDuration),
      critical: option('--critical <d>', 'a slower reply is a failure to docker and nagios', parseDuration),
      explain: flag('--explain', 'tell on stderr what happens: addresses, datagrams, judgements, time left'),
    }),
    ...sharedOptions({ output: 'utf8', count: 'send each message n times' }),
  };
}

/** The options of `udpcat send`, parsed. */
export type SendValues = ValuesOf<ReturnType<typeof sendOptions>>;

/** Reads a count of replies, or `all`. */
export const parseReplies = completing(['all'], (text): number | 'all' =>
  text === 'all'
    ? 'all'
    : parseInteger(text, 1, Number.MAX_SAFE_INTEGER, 'Replies are a whole number from 1, or "all".'),
);

/** The name of a probe and its arguments, taken as they stand. */
export const parseProbeText = completing('probe', (text) => text);
