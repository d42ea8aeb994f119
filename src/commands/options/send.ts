import { parseSizeRange } from '../../check/expectation.js';
import { common, flag, grouped, option, repeatable, toggle, type ValuesOf } from '../../cli/options.js';
import { EOLS } from '../../input/eol.js';
import { parseFrame } from '../../input/framing.js';
import { parseReplayFilter } from '../../record/replay-filter.js';
import { NUMBERINGS } from '../../run/exit-code.js';
import { parseDuration, parseDurationOrZero } from '../../text/duration.js';
import { parseCount, parseInteger, parsePercentage, parseRate, parseSpeed } from '../../text/number.js';
import { parseSizeOrZero } from '../../text/size.js';
import { completing, oneOf, parsePath, parseText } from '../../text/value.js';
import { sharedOptions } from './shared.js';

/** All options of `udpcat send`. */
export function sendOptions() {
  return {
    ...grouped('Messages:', {
      file: common(repeatable('--file <path>', 'send a file as one datagram; - is stdin', parsePath)),
      size: option('--size <n>', 'send a generated payload of n bytes', parseSizeOrZero),
      numbered: toggle(
        '--numbered',
        '--no-numbered',
        'number the payloads of --size, so that the receiver sees losses (default: if replies are awaited)',
        'do not number them',
      ),
      frame: option(
        '--frame <frame>',
        'how to cut stdin into datagrams: lines, null, whole, chunk:N, length, json (default: lines)',
        parseFrame,
      ),
      eol: option(
        '--eol <eol>',
        `put this behind each message of the arguments and of lines: ${EOLS.join(', ')} (default: nothing)`,
        oneOf(EOLS),
      ),
      probe: common(
        option('--probe <name[:args]>', 'check a known protocol; list and help:NAME tell more', parseProbeText),
      ),
      replay: common(
        option(
          '--replay <file>',
          'send a recording (pcap, pcapng, jsonl, also gzip or zstd) with its timing; - is stdin',
          parsePath,
        ),
      ),
      replayFilter: option(
        '--replay-filter <filter>',
        'datagrams of the recording to send: src or dst with an address, a port or both, or all (default: those to the receiver of the first)',
        parseReplayFilter,
      ),
      senders: option(
        '--senders <one|each>',
        'replay from one socket, or from one for each recorded sender, at most 1024 (default: one)',
        oneOf(['one', 'each']),
      ),
      speed: option('--speed <x|max>', 'speed of the replay: 2 is twice as fast, max has no pauses', parseSpeed),
      interval: option(
        '--interval <d>',
        'time between rounds of --count (default: 1s), or between datagrams of a recording',
        parseDuration,
      ),
      rate: option('--rate <r>', 'datagrams a second: 1000/s, 50k/s, or max for full speed', parseRate),
    }),
    ...grouped('Replies:', {
      wait: common(
        option(
          '-w, --wait <d>',
          'wait at most this long for replies; 0: do not wait (default: 2s if replies are judged)',
          parseDurationOrZero,
        ),
      ),
      replies: common(
        option('-n, --replies <n|all>', 'stop after n matching replies (default: 1 per message)', parseReplies),
      ),
      maxLoss: option(
        '--max-loss <p>',
        'status 0 if at most this share of the requests gets no matching reply in time: 5%, 0.1%',
        parsePercentage,
      ),
      expect: common(
        repeatable('--expect <text>', 'a reply must contain this; with -e hex, ?? is any byte', parseText),
      ),
      expectExact: option('--expect-exact <text>', 'a reply must be exactly this', parseText),
      expectRegex: repeatable('--expect-regex <re>', 'a reply must match this regular expression (RE2)', parseText),
      expectSize: option('--expect-size <range>', 'size of a reply in bytes: n, n.., ..m or n..m', parseSizeRange),
      expectReplay: flag('--expect-replay', 'the replies must be those of the recording'),
      retry: common(option('--retry <n>', 'send again up to n times until a matching reply comes', parseCount)),
      deadline: common(option('--deadline <d>', 'limit of the whole run, from start to exit', parseDuration)),
      anySource: flag('--any-source', 'take replies from any address, and show their senders'),
    }),
    ...grouped('Verdict:', {
      exitCode: option(
        '--exit-code <numbering>',
        `numbering of exit statuses: ${NUMBERINGS.join(', ')} (one plugin line on stdout)`,
        oneOf(NUMBERINGS),
        'udpcat',
      ),
      warn: option('--warn <d>', 'report WARNING to nagios if the reply takes longer', parseDuration),
      critical: option(
        '--critical <d>',
        'report a failure to docker and nagios if the reply takes longer',
        parseDuration,
      ),
      explain: flag('--explain', 'explain on stderr: addresses, datagrams, judgements, time left'),
    }),
    ...sharedOptions({ output: 'utf8', count: 'send each message n times (default: 1)' }),
  };
}

/** The parsed options of `udpcat send`. */
export type SendValues = ValuesOf<ReturnType<typeof sendOptions>>;

/** Reads a count of replies, or `all`. */
export const parseReplies = completing(['all'], (text): number | 'all' =>
  text === 'all'
    ? 'all'
    : parseInteger(text, 1, Number.MAX_SAFE_INTEGER, 'Replies are a whole number from 1, or "all".'),
);

/** Takes the name of a probe and its arguments as text. */
export const parseProbeText = completing('probe', (text) => text);
